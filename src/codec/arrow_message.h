/* arrow_message.h: the envelope of Arrow IPC messages, shared by schema and batches. */
#ifndef TARN_CODEC_ARROW_MESSAGE_H
#define TARN_CODEC_ARROW_MESSAGE_H

#include "flatbuffer.h"
#include "tarn/base/buf.h"

enum { ARROW_HEADER_SCHEMA = 1, ARROW_HEADER_BATCH = 3 };

/* Appends the head of a message: continuation, length, the flatbuffer that ends in `header`. */
void arrow__add_message(flat *f, int header_type, flat_ref header, int64_t body_bytes, buf *out);

#endif
