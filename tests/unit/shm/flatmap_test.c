/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operations make of an object. They are written as "move a.b c; append a b; del a".
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shm/cleanup.h"
#include "shm/flatmap.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

enum { N_STEPS = 1 << 20 };

static struct plan plan;
static struct plan_list operations;
static struct json_tree tree;

/* ---- operations, from text to a plan ---- */

static struct plan_list path(struct plan_builder *builder, char *text)
{
    struct plan_text names[PLAN_PATH_MAX];
    size_t n = 0;
    for (char *name; (name = strsep(&text, "."));)
        names[n++] = plan_add_string(builder, name);
    return plan_add_list(builder, names, sizeof *names, n);
}

static struct plan_flatmap operation(struct plan_builder *builder, char *text)
{
    char *word = strsep(&text, " "), *from = strsep(&text, " ");
    struct plan_flatmap planned = {.verb = PLAN_FLATMAP_DEL, .from = path(builder, from)};
    if (!text)
        return planned;
    planned.verb = word[0] == 'm' ? PLAN_FLATMAP_MOVE : PLAN_FLATMAP_APPEND;
    planned.to = path(builder, text);
    return planned;
}

static void begin(const char *text)
{
    CLEANUP(cleanup_free) char *copy = strdup(text);
    struct plan_builder *builder = plan_builder_new(PLAN_FRONT);
    struct plan_flatmap planned[8];
    size_t n = 0;
    char *rest = copy;
    for (char *one; (one = strsep(&rest, ";"));)
        planned[n++] = operation(builder, one + (*one == ' '));
    struct plan_front root = {.endpoints = plan_add_list(builder, planned, sizeof *planned, n)};
    CLEANUP(cleanup_fd) int fd = plan_builder_seal(builder, &root, sizeof root);
    plan_builder_free(builder);
    cr_assert_geq(fd, 0);
    cr_assert_eq(plan_join(&plan, fd, PLAN_FRONT), 0);
    operations = ((const struct plan_front *)plan.root)->endpoints; /* a list like any other */
    cr_assert_eq(json_tree_init(&tree, N_STEPS), 0);
}

static void end(void)
{
    json_tree_done(&tree);
    plan_leave(&plan);
}

/* ---- an object through them ---- */

/* For the caller to free. */
static char *written(void)
{
    struct json_sink sink = {0};
    json_tree_write(&tree, &sink);
    char *text = calloc(1, sink.n + 1);
    cr_assert_not_null(text);
    sink = (struct json_sink){.out = text, .room = sink.n};
    json_tree_write(&tree, &sink);
    cr_assert_eq(sink.n, strlen(text));
    return text;
}

static void apply(const char *object)
{
    json_tree_open(&tree, (struct json_slice){.at = object, .len = strlen(object)});
    flatmap_apply(&tree, &plan, operations);
}

struct row {
    const char *operations, *object, *expected;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        begin(rows[i].operations);
        apply(rows[i].object);
        CLEANUP(cleanup_free) char *text = written();
        cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_OK);
        cr_expect_str_eq(text, rows[i].expected, "%s of %s\n   gave %s\ninstead %s",
            rows[i].operations, rows[i].object, text, rows[i].expected);
        cr_expect_eq(tree.is_changed, strcmp(rows[i].object, rows[i].expected) != 0, "%s of %s",
            rows[i].operations, rows[i].object);
        end();
    }
}

static const struct row deletions[] = {
    {"del a", "{\"a\":1,\"b\":2.50}", "{\"b\":2.50}"},
    {"del a.b", "{\"a\":{\"b\":1,\"c\":[1e3, 2]}}", "{\"a\":{\"c\":[1e3, 2]}}"},
    {"del a.*.b", "{\"a\":[{\"b\":1,\"c\":2},{\"c\":3},4]}", "{\"a\":[{\"c\":2},{\"c\":3},4]}"},
    {"del *.b", "{\"x\":{\"b\":1,\"c\":1},\"y\":{\"b\":2,\"d\":2}}",
        "{\"x\":{\"c\":1},\"y\":{\"d\":2}}"},
    {"del a.0", "{\"a\":[1,2,3]}", "{\"a\":[2,3]}"},
    {"del a.0; del a.1", "{\"a\":[1,2,3]}", "{\"a\":[3]}"},
    {"del a.b", "{\"a\":{\"b\":1}}", "{\"a\":null}"},
    {"del a.*", "{\"a\":[1,2],\"b\":1}", "{\"a\":null,\"b\":1}"},
    {"del *", "{\"a\":1}", "null"},
    {"del a", "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}"},
    {"del \xc3\xa9.", "{\"\\u00e9\":{\"\":1,\"x\":2}}", "{\"\\u00e9\":{\"x\":2}}"},
    {"del z; del a.z; del a.z.y; del b.*", "{\"a\":{\"x\":1},\"b\":[]}",
        "{\"a\":{\"x\":1},\"b\":[]}"},
    {"del a.00; del a.-1; del a.3; del a.", "{\"a\":[1,2,3]}", "{\"a\":[1,2,3]}"},
};

Test(flatmap, del_leaves_out)
{
    check(deletions, N(deletions));
}

static const struct row renames[] = {
    {"move a z", "{\"a\":1,\"b\":2}", "{\"z\":1,\"b\":2}"},
    {"move a z; del b", "{\"a\":1,\"b\":2,\"c\":3}", "{\"z\":1,\"c\":3}"},
    {"move a b", "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":1,\"c\":3}"},
    {"move a b", "{\"b\":2,\"a\":1}", "{\"b\":1}"},
    {"move a b", "{\"a\":1,\"a\":2}", "{\"b\":2}"},
    {"move a.b x.c", "{\"a\":{\"b\":1},\"x\":{}}", "{\"a\":{\"c\":1},\"x\":{}}"},
    {"move a.*.b a.*.c", "{\"a\":[{\"b\":1},{\"d\":2},{\"b\":12345678901234567890123}]}",
        "{\"a\":[{\"c\":1},{\"d\":2},{\"c\":12345678901234567890123}]}"},
    {"move a.0 a.x; del a.x", "{\"a\":[1,2]}", "{\"a\":[2]}"},
    {"move a a; move z y; move a.b a.c; move a.* a.c", "{\"a\":5}", "{\"a\":5}"},
};

Test(flatmap, move_to_a_path_as_long_renames)
{
    check(renames, N(renames));
}

static const struct row embeddings[] = {
    {"move a b.c", "{\"a\":1}", "{\"b\":{\"c\":1}}"},
    {"move a a.b", "{\"a\":1}", "{\"a\":{\"b\":1}}"},
    {"move a b.c.d", "{\"a\":1,\"b\":{\"x\":0}}", "{\"b\":{\"x\":0,\"c\":{\"d\":1}}}"},
    {"move a b.c", "{\"a\":1,\"b\":{\"c\":2}}", "{\"b\":{\"c\":1}}"},
    {"move a b.c", "{\"a\":1,\"b\":5}", "{\"b\":{\"c\":1}}"},
    {"move a b.c", "{\"a\":1,\"b\":[7]}", "{\"b\":[7,1]}"},
    {"move a.b x.y.z", "{\"a\":{\"b\":1}}", "{\"a\":{\"y\":{\"z\":1}}}"},
    {"move a.*.b a.*.c.d", "{\"a\":[{\"b\":1},{\"b\":2}]}",
        "{\"a\":[{\"c\":{\"d\":1}},{\"c\":{\"d\":2}}]}"},
    {"move z b.c", "{\"a\":1}", "{\"a\":1}"},
    {"move a b.c; del b.c", "{\"a\":1,\"b\":5}", "{\"b\":5}"},
    {"move a l.c; del l.0; del l.2; move l.c l.c.d", "{\"a\":1,\"l\":[8,9]}",
        "{\"l\":[9,{\"d\":1}]}"},
};

Test(flatmap, move_to_a_longer_path_goes_deeper)
{
    check(embeddings, N(embeddings));
}

static const struct row promotions[] = {
    {"move a.b b", "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2},\"b\":1}"},
    {"move a.b b", "{\"a\":{\"b\":1},\"b\":0}", "{\"a\":null,\"b\":1}"},
    {"move a.*.b.c a.*.c", "{\"a\":[{\"b\":{\"c\":1}},{\"b\":{\"c\":2,\"d\":3}}]}",
        "{\"a\":[{\"b\":null,\"c\":1},{\"b\":{\"d\":3},\"c\":2}]}"},
    {"move a.*.b.c x.*.c", "{\"a\":[{\"b\":{\"c\":1}},{\"b\":{\"c\":2}}],\"x\":[{},{}]}",
        "{\"a\":[{\"b\":null},{\"b\":null}],\"x\":[{\"c\":1},{\"c\":2}]}"},
    {"move *.b b", "{\"x\":{\"b\":1},\"y\":{\"b\":2}}", "{\"x\":null,\"y\":null,\"b\":2}"},
    {"move *.c c", "{\"x\":{\"c\":{\"c\":1}}}", "{\"x\":null,\"c\":{\"c\":1}}"},
    {"move a.*.b l.x", "{\"a\":[{\"b\":1},{\"b\":2}],\"l\":[0]}",
        "{\"a\":[null,null],\"l\":[0,1,2]}"},
    {"move a.*.b.c l.x", "{\"a\":[{\"b\":{\"c\":1}},{\"b\":{\"c\":2}}],\"l\":[0]}",
        "{\"a\":[{\"b\":null},{\"b\":null}],\"l\":[0,1,2]}"},
    {"move a.b.c x.y", "{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":null},\"y\":1}"},
    {"move a.b.c x.y", "{\"a\":{\"b\":{\"c\":1}},\"x\":\"s\"}",
        "{\"a\":{\"b\":null},\"x\":{\"y\":1}}"},
};

Test(flatmap, move_to_a_shorter_path_goes_up)
{
    check(promotions, N(promotions));
}

static const struct row appends[] = {
    {"append a b", "{\"a\":[1,2.50],\"b\":[3, {}]}", "{\"b\":[3,{},1,2.50]}"},
    {"append a b.c", "{\"a\":[1],\"b\":{\"c\":[]}}", "{\"b\":{\"c\":[1]}}"},
    {"append a b", "{\"a\":[],\"b\":[]}", "{\"b\":[]}"},
    {"append a.*.x b", "{\"a\":[{\"x\":1},{\"y\":2},{\"x\":[3]}],\"b\":[0]}",
        "{\"a\":[null,{\"y\":2},null],\"b\":[0,1,null,[3]]}"},
    {"append a.* b", "{\"a\":{\"x\":1,\"y\":2},\"b\":[]}", "{\"a\":null,\"b\":[1,2]}"},
    {"append a.*.* b", "{\"a\":[[1,2],[3]],\"b\":[0]}", "{\"a\":[null,null],\"b\":[0,[1,2],[3]]}"},
    {"append a.0 a", "{\"a\":[[1,2],3]}", "{\"a\":[3,1,2]}"},
    {"append a a.0", "{\"a\":[[1],2],\"b\":1}", "{\"b\":1}"},
    {"append a a", "{\"a\":[1],\"b\":1}", "{\"b\":1}"},
    {"append a b; append z b; append b z; append b.* c", "{\"a\":1,\"b\":[],\"c\":[2]}",
        "{\"a\":1,\"b\":[],\"c\":[2]}"},
    {"append a b; append b a", "{\"a\":[1],\"b\":{\"x\":1}}", "{\"a\":[1],\"b\":{\"x\":1}}"},
};

Test(flatmap, append_puts_an_array_behind_another)
{
    check(appends, N(appends));
}

static const struct row rows_of_several[] = {
    {"del a.*.p; move a.*.k a.*.id; move s.9.a u; append a u; del s",
        "{\"s\":{\"9\":{\"a\":[{\"id\":0}]}},\"a\":[{\"p\":1,\"k\":2},{\"p\":3,\"k\":4}]}",
        "{\"u\":[{\"id\":0},{\"id\":2},{\"id\":4}]}"},
    {"move a b.a; move b.a c.d.e; del c", "{\"a\":1}", "{\"b\":{\"d\":{\"e\":1}}}"},
};

Test(flatmap, operations_follow_one_another)
{
    check(rows_of_several, N(rows_of_several));
}

Test(flatmap, bytes_that_are_a_string_can_be_moved)
{
    begin("move content text.raw");
    struct json_slice name = {.at = "content", .len = 7}, bytes = {.at = "a\"\xff", .len = 3};
    json_tree_open_member(&tree, name, bytes, true);
    flatmap_apply(&tree, &plan, operations);
    CLEANUP(cleanup_free) char *text = written();
    cr_expect_str_eq(text, "{\"text\":{\"raw\":\"a\\\"\xef\xbf\xbd\"}}");
    end();
    begin("move a content.a; del content.a; move content a; move a content.a.b; move content.a.b "
          "content");
    json_tree_open_member(&tree, name, bytes, true);
    flatmap_apply(&tree, &plan, operations);
    CLEANUP(cleanup_free) char *untouched = written();
    cr_expect_str_eq(untouched, "{\"content\":\"a\\\"\xef\xbf\xbd\"}");
    end();
}

/* ---- bounds ---- */

/* {"a":[{"b":{"c":0}},...]} */
static char *long_list(size_t n)
{
    static const char element[] = "{\"b\":{\"c\":0}},";
    char *text = malloc(8 + n * sizeof element), *at = text;
    cr_assert_not_null(text);
    at = stpcpy(at, "{\"a\":[");
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, element);
    (void)strcpy(at - 1, "]}");
    return text;
}

Test(flatmap, a_step_for_each_member_and_no_more)
{
    enum { FEW = 100, MANY = 20000 };
    static const char *const operations_of_one_path[] = {"del a.*.b.c", "move a.*.b.c a.*.b.d",
        "move a.*.b.c a.*.b.d.e", "move a.*.b.c a.*.c", "append a.*.b a"};
    for (size_t i = 0; i < N(operations_of_one_path); i++) {
        CLEANUP(cleanup_free) char *few = long_list(FEW), *many = long_list(MANY);
        begin(operations_of_one_path[i]);
        apply(few);
        uint32_t n_steps = tree.n_steps;
        apply(many);
        cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_OK);
        cr_expect_leq(tree.n_steps, (n_steps + 100) * (MANY / FEW), "%s takes %u steps, and %u",
            operations_of_one_path[i], n_steps, tree.n_steps);
        end();
    }
}

Test(flatmap, what_would_take_too_many_nodes_is_too_large)
{
    CLEANUP(cleanup_free) char *text = long_list(JSON_TREE_NODES_MAX / 2);
    begin("del a.*.b; move a b");
    apply(text);
    cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_TOO_LARGE);
    apply("{\"a\":1}");
    cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_OK, "the next is not to blame");
    end();
}

/* For the caller to free: {"NAME":{"x":{"p":1}},...} with names of so many bytes. */
static char *long_object(size_t n, int n_name)
{
    char *text = calloc(n, (size_t)n_name + 24), *at = text;
    cr_assert_not_null(text);
    *at++ = '{';
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "\"%0*zu\":{\"x\":{\"p\":1}},", n_name, i);
    at[-1] = '}';
    return text;
}

/* Each of those that were taken is put where all the others already are. */
Test(flatmap, what_has_taken_too_many_steps_takes_no_more)
{
    enum { MANY = 5000 };
    CLEANUP(cleanup_free) char *text = long_object(MANY, 8);
    begin("move *.x y");
    apply(text);
    cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_TOO_LARGE);
    cr_expect_leq(tree.n_steps, N_STEPS);
    cr_expect_lt(tree.root->last->index, MANY + N_STEPS / MANY, "nothing was put there since");
    end();
}

/* Below b each is sought by the name that it had below a. */
Test(flatmap, to_compare_long_names_takes_more_steps)
{
    enum { MANY = 200, SHORT = 8, LONG = 800 };
    uint32_t n_steps[2];
    for (int i = 0; i < 2; i++) {
        CLEANUP(cleanup_free) char *members = long_object(MANY, i == 0 ? SHORT : LONG);
        char *text = malloc(2 * strlen(members) + 16);
        cr_assert_not_null(text);
        (void)sprintf(text, "{\"a\":%s,\"b\":%s}", members, members);
        begin("move a.*.x.p b.*.q");
        apply(text);
        n_steps[i] = tree.n_steps;
        cr_expect_eq(json_tree_outcome(&tree), i == 0 ? JSON_TREE_OK : JSON_TREE_TOO_LARGE);
        free(text);
        end();
    }
    cr_expect_gt(n_steps[1], 4 * n_steps[0], "%u and %u", n_steps[0], n_steps[1]);
}

/* Every one of them is looked for in a list of them all. */
Test(flatmap, what_would_take_too_many_steps_is_too_large)
{
    enum { MANY = 10000 };
    CLEANUP(cleanup_free) char *list = long_list(MANY), *text = malloc(4 * strlen(list));
    cr_assert_not_null(text);
    char *at = stpcpy(text, list) - 1;
    at = stpcpy(at, ",\"x\":");
    at = stpcpy(at, strchr(list, '['));
    begin("move a.*.b.c x.*.c");
    apply(text);
    cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_TOO_LARGE);
    end();
}

Test(flatmap, what_is_no_json_is_spoiled)
{
    static const char *const texts[] = {"{\"a\":", "{\"a\":{\"b\":}}", "{\"a\":{\"b\":1}", "?"};
    begin("del a.b");
    for (size_t i = 0; i < N(texts); i++) {
        apply(texts[i]);
        cr_expect_eq(json_tree_outcome(&tree), JSON_TREE_SPOILED, "%s", texts[i]);
    }
    end();
}

/* Every byte in turn becomes another between the change and the writing: the length stays. */
Test(flatmap, an_object_that_changes_meanwhile_does_no_harm)
{
    static const char object[] = "{\"a\":{\"x\":[1,2],\"y\":\"s\\u0041\"},\"b\":null}";
    begin("move a.y y; del b");
    for (size_t i = 0; i < sizeof object - 1; i++) {
        char *copy = strdup(object);
        struct json_sink before = {0}, after = {0};
        apply(copy);
        json_tree_write(&tree, &before);
        copy[i] = '"';
        json_tree_write(&tree, &after);
        cr_expect_eq(after.n, before.n);
        free(copy);
    }
    end();
}
