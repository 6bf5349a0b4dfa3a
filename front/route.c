/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <assert.h>
#include <errno.h>

#include "segment.h"

/*
 * The patterns form a tree: a node is the beginning that some patterns share. Its plain children
 * are edges, and the edges of all nodes stand in one hash table under (parent, segment). It is
 * filled from the plan alone, half full at most, so what a client asks for cannot make it slow.
 * Segments and methods are the plan's own texts. An edge under (parent | BEHIND_TEXT, text) leads to
 * where the text is followed by a parameter.
 * Node 0 is the root and nobody's child: 0 means none.
 */
#define BEHIND_TEXT (UINT32_C(1) << 31)

struct node {
    uint32_t parameter; /* the child behind `{name}` */
    uint32_t leaf;      /* the first of the endpoints that end here; index + 1 */
};

struct edge {
    uint32_t parent;
    uint32_t child; /* 0: the place is empty */
    struct slice segment;
};

struct leaf {
    uint32_t endpoint;
    uint32_t method; /* index into methods */
    uint32_t next;   /* the next leaf of the same node; index + 1 */
};

struct route_table {
    struct node *nodes;
    struct edge *edges;
    struct leaf *leaves;
    uint32_t n_nodes, n_leaves, n_methods;
    uint32_t edge_mask; /* places - 1 */
    uint32_t deepest;   /* most segments of a pattern */
    size_t longest;     /* text in front of a parameter; 0: there is none */
    struct slice methods[ROUTE_MAX_METHODS];
};

/* ---- the tree ---- */

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* FNV-1a of the segment in lower case, so that one row of places holds all its spellings. */
static uint32_t edge_hash(uint32_t parent, struct slice segment)
{
    uint64_t hash = (UINT64_C(14695981039346656037) ^ parent) * UINT64_C(1099511628211);
    for (size_t i = 0; i < segment.len; i++)
        hash = (hash ^ lower(segment.at[i])) * UINT64_C(1099511628211);
    return (uint32_t)(hash >> 32 ^ hash);
}

typedef bool slices_equal(struct slice, struct slice);

/* The edge from `parent` along `segment`, or the empty place where it would stand. */
static struct edge *edge_place(
    const struct route_table *table, uint32_t parent, struct slice segment, slices_equal *equals)
{
    uint32_t i = edge_hash(parent, segment) & table->edge_mask;
    while (table->edges[i].child &&
           !(table->edges[i].parent == parent && equals(table->edges[i].segment, segment)))
        i = (i + 1) & table->edge_mask;
    return &table->edges[i];
}

static uint32_t method_find(const struct route_table *table, struct slice method)
{
    uint32_t i = 0;
    while (i < table->n_methods && !slice_equals(table->methods[i], method))
        i++;
    return i;
}

/* ---- building ---- */

/* A segment of a pattern, taken apart. */
struct step {
    struct slice text; /* in front of the parameter, or the whole of what has none */
    bool has_parameter;
};

/* A brace has no place but around a parameter, which ends its segment. */
static bool step_parse(struct slice segment, struct step *step)
{
    const char *open = segment.len ? memchr(segment.at, '{', segment.len) : NULL;
    size_t n = open ? (size_t)(open - segment.at) : segment.len;
    *step = (struct step){.text = {.at = segment.at, .len = n}, .has_parameter = open};
    if (!open)
        return !segment.len || !memchr(segment.at, '}', segment.len);
    struct slice name = {.at = open + 1, .len = segment.len - n - 1};
    return (!n || !memchr(segment.at, '}', n)) && !memchr(name.at, '{', name.len) &&
           memchr(name.at, '}', name.len) == name.at + name.len - 1;
}

/* The node behind `parent` along the step, made when it is not there. */
static uint32_t child_add(struct route_table *table, uint32_t parent, const struct step *step)
{
    uint32_t *child = &table->nodes[parent].parameter;
    if (step->text.len || !step->has_parameter) {
        uint32_t from = step->has_parameter ? parent | BEHIND_TEXT : parent;
        struct edge *edge = edge_place(table, from, step->text, slice_equals);
        edge->parent = from;
        edge->segment = step->text;
        child = &edge->child;
    }
    if (step->has_parameter && step->text.len > table->longest)
        table->longest = step->text.len;
    if (!*child)
        *child = table->n_nodes++;
    return *child;
}

static int leaf_add(
    struct route_table *table, uint32_t node, struct slice method, uint32_t endpoint)
{
    uint32_t m = method_find(table, method);
    if (m == ROUTE_MAX_METHODS)
        return -E2BIG;
    if (m == table->n_methods)
        table->methods[table->n_methods++] = method;
    for (uint32_t i = table->nodes[node].leaf; i; i = table->leaves[i - 1].next) {
        if (table->leaves[i - 1].method == m)
            return -EEXIST;
    }
    struct leaf *leaf = &table->leaves[table->n_leaves++];
    *leaf = (struct leaf){.endpoint = endpoint, .method = m, .next = table->nodes[node].leaf};
    table->nodes[node].leaf = table->n_leaves;
    return 0;
}

static int endpoint_add(
    struct route_table *table, struct slice pattern, struct slice method, uint32_t endpoint)
{
    uint32_t node = 0, n_segments = 0, n_parameters = 0;
    struct slice segment;
    if (!pattern.len || pattern.at[0] != '/')
        return -EINVAL;
    while (segment_next(&pattern, &segment)) {
        struct step step;
        if (!step_parse(segment, &step))
            return -EINVAL;
        n_parameters += step.has_parameter;
        if (++n_segments > ROUTE_MAX_SEGMENTS || n_parameters > ROUTE_MAX_PARAMETERS)
            return -E2BIG;
        node = child_add(table, node, &step);
    }
    if (n_segments > table->deepest)
        table->deepest = n_segments;
    return leaf_add(table, node, method, endpoint);
}

/* Room for everything that the patterns can need: a node and an edge for each segment. */
static int room_make(struct route_table *table, const struct plan *plan, struct plan_list list)
{
    const struct plan_endpoint *endpoints = plan_items(plan, list);
    size_t n_segments = 0, places = 2;
    for (uint32_t i = 0; i < list.count; i++) {
        struct slice segment, pattern = slice_of_plan(plan, endpoints[i].pattern);
        while (segment_next(&pattern, &segment))
            n_segments++;
    }
    while (places < 2 * (n_segments + 1))
        places *= 2;
    table->nodes = calloc(n_segments + 1, sizeof(*table->nodes));
    table->edges = calloc(places, sizeof(*table->edges));
    table->leaves = calloc(list.count + (size_t)1, sizeof(*table->leaves));
    table->edge_mask = (uint32_t)(places - 1);
    table->n_nodes = 1;
    return table->nodes && table->edges && table->leaves ? 0 : -ENOMEM;
}

static int allow_check(const struct route_table *table)
{
    size_t n = 0;
    for (uint32_t i = 0; i < table->n_methods; i++)
        n += table->methods[i].len + 2; /* ", ", or at the end the NUL */
    return n <= ROUTE_ALLOW_BYTES ? 0 : -E2BIG;
}

static void table_cleanup(struct route_table **table)
{
    route_table_free(*table);
}

int route_table_new(struct route_table **out, const struct plan *plan, uint32_t *culprit)
{
    const struct plan_front *root = plan->root;
    const struct plan_endpoint *endpoints = plan_items(plan, root->endpoints);
    CLEANUP(table_cleanup) struct route_table *table = calloc(1, sizeof(*table));
    int error = table ? room_make(table, plan, root->endpoints) : -ENOMEM;
    for (uint32_t i = 0; !error && i < root->endpoints.count; i++) {
        error = endpoint_add(table, slice_of_plan(plan, endpoints[i].pattern),
            slice_of_plan(plan, endpoints[i].method), i);
        if (!error)
            error = allow_check(table);
        if (error)
            *culprit = i;
    }
    if (error)
        return error;
    *out = STEAL(table);
    return 0;
}

void route_table_free(struct route_table *table)
{
    if (!table)
        return;
    free(table->nodes);
    free(table->edges);
    free(table->leaves);
    free(table);
}

/* ---- finding ---- */

struct walk {
    const struct route_table *table;
    const struct slice *segments;
    size_t n_segments;
    uint32_t method;  /* what is asked for; n_methods: nobody has it */
    uint32_t allowed; /* bit i: methods[i] would have fitted */
    slices_equal *equals;
    struct slice
        *texts; /* for each segment what the pattern has: the whole, its beginning, nothing */
    struct route_match *match;
};

/* Does an endpoint with the method end at `node`? Its others are noted. */
static bool leaf_take(struct walk *walk, uint32_t node)
{
    const struct leaf *leaves = walk->table->leaves;
    for (uint32_t i = walk->table->nodes[node].leaf; i; i = leaves[i - 1].next) {
        if (leaves[i - 1].method == walk->method) {
            walk->match->endpoint = leaves[i - 1].endpoint;
            return true;
        }
        walk->allowed |= 1u << leaves[i - 1].method;
    }
    return false;
}

static bool walk_from(struct walk *walk, uint32_t node, size_t depth);

/* Goes on behind a parameter that takes `value`. */
static bool walk_with(struct walk *walk, uint32_t node, size_t depth, struct slice value)
{
    uint32_t i = walk->match->n_parameters++;
    walk->match->parameters[i] = value;
    if (walk_from(walk, node, depth))
        return true;
    walk->match->n_parameters--;
    return false;
}

/* The longest text in front of a parameter first; something must be left for the parameter. */
static bool walk_behind_text(struct walk *walk, uint32_t node, size_t depth, struct slice segment)
{
    size_t n = walk->table->longest;
    for (n = n < segment.len ? n : segment.len - !!segment.len; n; n--) {
        struct slice text = {.at = segment.at, .len = n};
        struct slice rest = {.at = segment.at + n, .len = segment.len - n};
        const struct edge *edge = edge_place(walk->table, node | BEHIND_TEXT, text, walk->equals);
        walk->texts[depth] = edge->segment;
        if (edge->child && walk_with(walk, edge->child, depth + 1, rest))
            return true;
    }
    return false;
}

/* Recurses once for each segment, ROUTE_MAX_SEGMENTS deep at most; sees each node at most once. */
static bool walk_from(struct walk *walk, uint32_t node, size_t depth)
{
    if (depth == walk->n_segments)
        return leaf_take(walk, node);
    struct slice segment = walk->segments[depth];
    const struct edge *plain = edge_place(walk->table, node, segment, walk->equals);
    walk->texts[depth] = plain->segment;
    if (plain->child && walk_from(walk, plain->child, depth + 1))
        return true;
    if (walk_behind_text(walk, node, depth, segment))
        return true;
    walk->texts[depth] = (struct slice){0};
    uint32_t parameter = walk->table->nodes[node].parameter;
    bool is_final_slash = !segment.len && depth + 1 == walk->n_segments;
    return parameter && !is_final_slash && walk_with(walk, parameter, depth + 1, segment);
}

static void allow_write(const struct walk *walk)
{
    char *out = walk->match->allow;
    for (uint32_t i = 0; i < walk->table->n_methods; i++) {
        if (!(walk->allowed & 1u << i))
            continue;
        if (out != walk->match->allow)
            out = slice_copy(slice_of(", "), out);
        out = slice_copy(walk->table->methods[i], out);
    }
    *out = '\0';
}

static enum route_outcome walk_whole(struct walk *walk)
{
    walk->allowed = 0;
    walk->match->n_parameters = 0;
    if (walk_from(walk, 0, 0))
        return ROUTE_FOUND;
    if (!walk->allowed)
        return ROUTE_NOT_FOUND;
    allow_write(walk);
    return ROUTE_WRONG_METHOD;
}

/* Split and decode the whole path, so that a bad escape is one wherever it stands. `*n` goes one
 * past what `segments` holds when there are more than the deepest pattern has. */
static enum segment_outcome path_split(const struct route_table *table, struct slice path,
    char *scratch, struct slice *segments, size_t *n)
{
    size_t max = table->deepest + (size_t)1; /* one more for a slash too many */
    struct slice segment, decoded;
    *n = 0;
    while (segment_next(&path, &segment)) {
        if (segment_decode(segment, scratch, &decoded))
            return SEGMENT_BAD_ESCAPE;
        scratch += decoded.len;
        if (*n < max)
            segments[*n] = decoded;
        *n += *n <= max;
    }
    return SEGMENT_OK;
}

/* Would a client that is sent to `path` look for another host there (RFC 3986, 4.2)? */
static bool names_a_host(struct slice path)
{
    return path.len > 1 && (path.at[1] == '/' || path.at[1] == '\\');
}

/* The path as the patterns spell it, in `out`; as long as it was but for the slash. */
static struct slice location_write(const struct walk *walk, struct slice path, char *out)
{
    struct slice segment, location = {.at = out};
    for (size_t i = 0; i < walk->n_segments && segment_next(&path, &segment); i++) {
        out = slice_copy(slice_of("/"), out);
        segment_spell(segment, walk->texts[i], out);
        out += segment.len;
    }
    location.len = (size_t)(out - location.at);
    return location;
}

/* What nobody has as it is: without a slash too many, in another case, or both? */
static enum route_outcome find_otherwise(struct walk *walk, struct slice path, char *scratch)
{
    static const struct {
        slices_equal *equals;
        bool drops_slash;
    } ways[] = {{slice_equals, true}, {slice_equals_nocase, false}, {slice_equals_nocase, true}};
    size_t n = walk->n_segments;
    bool ends_with_slash = n > 1 && !walk->segments[n - 1].len;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (ways[i].drops_slash && !ends_with_slash)
            continue;
        walk->equals = ways[i].equals;
        walk->n_segments = n - ways[i].drops_slash;
        enum route_outcome outcome = walk_whole(walk);
        if (outcome == ROUTE_WRONG_METHOD && walk->equals == slice_equals)
            return outcome;
        if (outcome != ROUTE_FOUND)
            continue;
        if (names_a_host(path))
            return ROUTE_NOT_FOUND;
        walk->match->location = location_write(walk, path, scratch);
        return ROUTE_REDIRECT;
    }
    return ROUTE_NOT_FOUND;
}

enum route_outcome route_find(const struct route_table *table, struct slice method,
    struct slice path, char *scratch, struct route_match *match)
{
    struct slice segments[ROUTE_MAX_SEGMENTS + 1], texts[ROUTE_MAX_SEGMENTS + 1];
    struct walk walk = {.table = table,
        .segments = segments,
        .equals = slice_equals,
        .texts = texts,
        .match = match};
    assert(path.len && path.at[0] == '/');
    if (path_split(table, path, scratch, segments, &walk.n_segments))
        return ROUTE_BAD_ESCAPE;
    if (walk.n_segments > table->deepest + (size_t)1)
        return ROUTE_NOT_FOUND;
    walk.method = method_find(table, method);
    enum route_outcome outcome = walk_whole(&walk);
    return outcome == ROUTE_NOT_FOUND ? find_otherwise(&walk, path, scratch) : outcome;
}
