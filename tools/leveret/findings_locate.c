/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over the text finds the places of all findings: their paths are sorted, and the walk
 * goes down only where one of them lies below.
 */
#include <stdlib.h>
#include <string.h>
#include "shm/cleanup.h"
#include "shm/json.h"
#include "config_path.h"
#include "findings.h"

struct walk {
    struct finding **wanted; /* sorted by path */
    size_t n;
    struct config_path_text path; /* of where the walk stands */
    const char *text;
};

/* Of the wanted paths, the first that is not below this one. */
static size_t lower_bound(const struct walk *walk, const char *path)
{
    size_t low = 0, high = walk->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(walk->wanted[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Gives this offset to all wanted paths that go on like that from here; says whether any does. */
static bool mark(struct walk *walk, const char *continuation, size_t offset)
{
    char prefix[CONFIG_PATH_MAX + 2];
    size_t length = (size_t)snprintf(prefix, sizeof prefix, "%s%s", walk->path.text, continuation);
    size_t first = lower_bound(walk, prefix), i;

    for (i = first; i < walk->n; i++) {
        if (strncmp(walk->wanted[i]->path, prefix, length) != 0)
            break;
        walk->wanted[i]->offset = offset;
    }
    return i > first;
}

static void mark_this(struct walk *walk, size_t offset)
{
    for (size_t i = lower_bound(walk, walk->path.text); i < walk->n; i++) {
        if (strcmp(walk->wanted[i]->path, walk->path.text) != 0)
            break;
        walk->wanted[i]->offset = offset;
    }
}

/* Goes no deeper than the wanted paths do, however deep the text is. */
static void visit(struct walk *walk, const struct json_value *value)
{
    size_t offset = (size_t)(value->text.at - walk->text), length = walk->path.length;
    bool has_members = mark(walk, ".", offset), has_elements = mark(walk, "[", offset);
    struct json_cursor cursor;
    struct json_member member;

    mark_this(walk, offset);
    if (!has_members && !has_elements)
        return;
    if (value->kind != JSON_KIND_OBJECT && value->kind != JSON_KIND_ARRAY)
        return;
    json_open(&cursor, value);
    for (size_t i = 0; json_next(&cursor, &member) == JSON_OK; i++) {
        if (value->kind == JSON_KIND_OBJECT)
            config_path_text_key(&walk->path, member.key.at, member.key.len);
        else
            config_path_text_index(&walk->path, i);
        if (walk->path.length > length)
            visit(walk, &member.value);
        config_path_text_cut(&walk->path, length);
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct finding *const *)a)->path, (*(struct finding *const *)b)->path);
}

static int by_position(const void *a, const void *b)
{
    const struct finding *left = a, *right = b;

    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return left->order < right->order ? -1 : 1;
}

/* Without memory everything is at the beginning of the file: still true, less helpful. */
static void find_offsets(
    struct findings *findings, const char *source, const char *text, size_t length)
{
    CLEANUP(cleanup_free) struct finding **wanted = calloc(findings->n + 1, sizeof *wanted);
    struct walk walk = {.wanted = wanted, .text = text};
    struct config_path document = {0};
    struct json_value root;

    if (!wanted || json_peek(text, length, &root) != JSON_OK)
        return;
    for (size_t i = 0; i < findings->n; i++) {
        struct finding *finding = &findings->items[i];

        if (!finding->has_offset && strcmp(finding->source, source) == 0)
            wanted[walk.n++] = finding;
    }
    qsort(wanted, walk.n, sizeof *wanted, by_path);
    config_path_write(&document, &walk.path);
    visit(&walk, &root);
}

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* Counts lines and columns once through the text, from one finding to the next. */
static void count_lines(struct findings *findings, const char *text, size_t length)
{
    size_t line = 1, column = 1, at = 0;

    for (size_t i = 0; i < findings->n; i++) {
        struct finding *finding = &findings->items[i];

        for (; at < finding->offset && at < length; at++) {
            if (text[at] == '\n') {
                line++;
                column = 1;
            } else if (begins_character(text[at])) {
                column++;
            }
        }
        finding->line = line;
        finding->column = column;
    }
}

void findings_locate(struct findings *findings, const char *source, const char *text, size_t length)
{
    find_offsets(findings, source, text, length);
    if (findings->n > 0)
        qsort(findings->items, findings->n, sizeof *findings->items, by_position);
    count_lines(findings, text, length);
}
