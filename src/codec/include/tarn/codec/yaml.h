/* yaml.h: YAML documents, read into the same trees as JSON (scalars by the YAML 1.2 core
 * schema). */
#ifndef TARN_CODEC_YAML_H
#define TARN_CODEC_YAML_H

#include "tarn/codec/json.h"

/* SYNTAX with line and column. Aliases are limited so that a small document stays small. An empty
 * document is JSON_NULL. */
status yaml_parse(str text, arena *a, const json **ret_value, error *err);

#endif
