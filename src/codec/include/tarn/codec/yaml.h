/* yaml.h: YAML documents, read into the same trees as JSON (scalars by the YAML 1.2 core
 * schema). */
#ifndef TARN_CODEC_YAML_H
#define TARN_CODEC_YAML_H

#include "tarn/codec/json.h"

/* SYNTAX with line and column, also for duplicate keys, merge keys ("<<"), unknown tags, a second
 * document. TOO_LARGE where aliases unfold to more values than the text has bytes (and 1000). An
 * empty document is JSON_NULL. */
status yaml_parse(str text, arena *a, const json **ret_value, error *err);

#endif
