/* json_tree.h: how a parsed JSON or YAML value lies in memory. For codec's own files.
 *
 * Items of an array and members of an object stand side by side, so a tree is walked without
 * chasing pointers. Everything lives in the arena of the parse. */
#ifndef TARN_CODEC_JSON_TREE_H
#define TARN_CODEC_JSON_TREE_H

#include "tarn/codec/json.h"

typedef struct json_member json_member;

struct json {
    json_kind kind; /* JSON_NULL … JSON_OBJECT */
    union {
        bool boolean;
        int64_t integer;
        struct {
            double value;
            const char *digits; /* as the text wrote an integer beyond 64 bits; else NULL */
        } number;
        str text;
        struct {
            const json *items;
            size_t count;
        } array;
        struct {
            const json_member *members;
            size_t count;
        } object;
    } u;
};

struct json_member {
    str key;
    json value;
};

#endif
