/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key that Leveret knows, level by level: one row says how it is spelt, what it may hold,
 * what it is when the file does not say, and what it is for. The reader, the checks and the
 * documentation all follow these rows; nothing else knows a default or a range.
 */
#ifndef LEVERET_CONFIG_KEYS_H
#define LEVERET_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the file holds, and the C type of the field. */
enum config_key_type {
    KEY_STRING,   /* const char * */
    KEY_BOOL,     /* bool */
    KEY_INT,      /* int64_t */
    KEY_DURATION, /* int64_t, ns. The file: "1m30s", or the number 0 */
    KEY_SIZE,     /* int64_t, bytes. The file: "8MiB", or a number */
    KEY_CHOICE,   /* int, one of `choices`; case does not count, "" is the default */
    KEY_LIST,     /* struct config_list, of strings */
    KEY_SCALARS,  /* json_t *, an object of strings, numbers and booleans; `${...}` is replaced */
    KEY_STRINGS,  /* the same, of strings alone */
    KEY_OBJECT,   /* the same, of whatever it holds */
    KEY_LEVEL,    /* a structure of its own: `level` */
    KEY_LEVELS,   /* struct config_items, of an array of objects: `level` */
    KEY_NESTED,   /* none: who reads this level reads it too */
    KEY_ANY,      /* none: whatever it is, it is not looked at */
};

/* What stands behind a key. */
enum config_key_use {
    KEY_BUILT,
    KEY_LATER, /* nothing yet: an error when it says more than false, 0, "", [] or {} */
};

struct config_choice {
    const char *name;
    int value;
};

struct config_key {
    const char *name;
    const char *v2_name; /* the spelling of version 2; NULL: the same */
    enum config_key_type type;
    enum config_key_use use;
    size_t offset;
    int64_t min, max;                    /* KEY_INT, KEY_DURATION, KEY_SIZE */
    const struct config_choice *choices; /* KEY_CHOICE: up to one without a name */
    bool is_required;                    /* in the elements of KEY_LEVELS */
    bool skips_zero;                     /* 0, "" and [] say nothing: the field stays */
    bool is_open;                     /* KEY_CHOICE: another name is a warning, and the default */
    const struct config_level *level; /* KEY_LEVEL, KEY_LEVELS */
    size_t item_bytes;                /* KEY_LEVELS: of each structure */
    const char
        *initial;     /* as a file would say it; of a list, its one element; NULL: left as it is */
    const char *help; /* one sentence, fit for a cell of a table: at most 100 bytes, without | */
};

struct config_level {
    const char *name; /* for people: "endpoint" */
    const struct config_key *keys;
    size_t n_keys;
    const struct config_level *base; /* its keys belong to this level too; or NULL */
};

/* In the order of the documentation. */
extern const struct config_level config_level_service;          /* struct config */
extern const struct config_level config_level_tls;              /* struct config_tls */
extern const struct config_level config_level_endpoint;         /* struct config_endpoint */
extern const struct config_level config_level_backend;          /* struct config_backend */
extern const struct config_level config_level_amqp;             /* struct config_amqp */
extern const struct config_level config_level_consumer;         /* struct config_amqp */
extern const struct config_level config_level_producer;         /* struct config_amqp */
extern const struct config_level config_level_endpoint_proxy;   /* struct config_proxy */
extern const struct config_level config_level_static;           /* struct config_static */
extern const struct config_level config_level_backend_proxy;    /* struct config_backend */
extern const struct config_level config_level_flatmap;          /* struct config_operation */
extern const struct config_level config_level_leveret_service;  /* struct config */
extern const struct config_level config_level_leveret_endpoint; /* struct config_endpoint */
extern const struct config_level config_level_leveret_amqp;     /* struct config_amqp */
extern const struct config_level config_level_leveret_consumer; /* struct config_amqp */
extern const struct config_level config_level_leveret_producer; /* struct config_amqp */

/* The names of a choice, for whoever must say one. */
extern const struct config_choice config_methods[];

#endif
