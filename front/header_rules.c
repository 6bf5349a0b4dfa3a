/* SPDX-License-Identifier: Apache-2.0 */
#include "header_rules.h"

static const struct slice hop_names[] = {SLICE("Connection"), SLICE("Keep-Alive"), SLICE("TE"),
    SLICE("Trailer"), SLICE("Transfer-Encoding"), SLICE("Upgrade")};
static const struct slice own_names[] = {SLICE("Host"), SLICE("Content-Length"),
    SLICE("X-Forwarded-For"), SLICE("X-Forwarded-Host"), SLICE("traceparent"), SLICE("tracestate")};
static const struct slice trace_names[] = {SLICE("traceparent"), SLICE("tracestate")};

#define N(names) (sizeof(names) / sizeof((names)[0]))

static bool is_among(struct slice name, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_equals_nocase(name, names[i]))
            return true;
    }
    return false;
}

static bool has_prefix(struct slice name, struct slice prefix)
{
    return name.len >= prefix.len &&
           slice_equals_nocase((struct slice){.at = name.at, .len = prefix.len}, prefix);
}

/* Note what one Connection line names: a list with commas (RFC 9110, 7.6.1). */
static enum header_outcome options_add(struct header_rules *rules, struct slice list)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        struct slice option = slice_trim((struct slice){.at = list.at, .len = n});
        list.at += n + (comma != NULL);
        list.len -= n + (comma != NULL);
        if (!option.len)
            continue;
        if (rules->n_options == HEADER_MAX_OPTIONS)
            return HEADER_MANY_OPTIONS;
        rules->options[rules->n_options++] = option;
    }
    return HEADER_OK;
}

enum header_outcome header_rules_init(struct header_rules *rules, const struct plan *plan,
    const struct plan_endpoint *endpoint, const struct header_lines *lines)
{
    rules->plan = plan;
    rules->passes_all = endpoint->passes_all_headers;
    rules->listed = plan_items(plan, endpoint->headers);
    rules->n_listed = endpoint->headers.count;
    rules->n_options = 0;
    for (size_t i = 0; i < lines->n; i++) {
        if (!slice_equals_nocase(lines->items[i].name, slice_of("Connection")))
            continue;
        enum header_outcome outcome = options_add(rules, lines->items[i].value);
        if (outcome)
            return outcome;
    }
    return HEADER_OK;
}

bool header_rules_hop(const struct header_rules *rules, struct slice name)
{
    if (is_among(name, hop_names, N(hop_names)) || has_prefix(name, slice_of("Proxy-")))
        return true;
    for (size_t i = 0; i < rules->n_options; i++) {
        if (slice_equals_nocase(name, rules->options[i]))
            return true;
    }
    return false;
}

static bool is_listed(const struct header_rules *rules, struct slice name)
{
    for (size_t i = 0; i < rules->n_listed; i++) {
        struct slice listed = {
            .at = plan_string(rules->plan, rules->listed[i]), .len = rules->listed[i].length};
        if (slice_equals_nocase(name, listed))
            return true;
    }
    return false;
}

bool header_rules_pass(const struct header_rules *rules, struct slice name)
{
    if (is_among(name, own_names, N(own_names)) || header_rules_hop(rules, name))
        return false;
    return rules->passes_all || is_listed(rules, name);
}

struct slice header_find(const struct header_lines *lines, struct slice name)
{
    for (size_t i = 0; i < lines->n; i++) {
        if (slice_equals_nocase(lines->items[i].name, name))
            return slice_trim(lines->items[i].value);
    }
    return (struct slice){0};
}

struct slice header_join(const struct header_lines *lines, struct slice name, char *out)
{
    struct slice joined = {0};
    size_t n_found = 0;
    for (size_t i = 0; i < lines->n; i++) {
        if (!slice_equals_nocase(lines->items[i].name, name))
            continue;
        struct slice value = slice_trim(lines->items[i].value);
        if (n_found++ == 0) {
            joined = value;
            continue;
        }
        char *end = n_found == 2 ? slice_copy(joined, out) : out + joined.len;
        end = slice_copy(value, slice_copy(slice_of(", "), end));
        joined = (struct slice){.at = out, .len = (size_t)(end - out)};
    }
    return joined;
}

struct slice header_canonical(struct slice name, char *out)
{
    bool is_first = !is_among(name, trace_names, N(trace_names)); /* of a word */
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (is_first && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (!is_first && c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        out[i] = c;
        is_first = c == '-';
    }
    return (struct slice){.at = out, .len = name.len};
}
