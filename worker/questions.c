/* SPDX-License-Identifier: Apache-2.0 */
#include "questions.h"

#include <errno.h>
#include <stdlib.h>

struct list {
    struct plan_reader *plan_reader;
    struct question *items;
    size_t n;
};

static enum topology_declare look(enum topology_declare declare)
{
    return declare == TOPOLOGY_ACTIVE ? TOPOLOGY_COMPARE : TOPOLOGY_PASSIVE;
}

static void ask_exchange(
    struct list *list, const struct topology_exchange *exchange, struct question question)
{
    if (!exchange->name || !*exchange->name)
        return;
    question.wish.exchange = *exchange;
    question.wish.exchange.declare = look(exchange->declare);
    list->items[list->n++] = question;
}

static void ask_queue(
    struct list *list, const struct topology_queue *queue, struct question question)
{
    if (!queue->name || !*queue->name)
        return;
    question.wish.queue = *queue;
    question.wish.queue.declare = look(queue->declare);
    list->items[list->n++] = question;
}

static int ask_producer(struct list *list, const struct plan_backend *backend, uint32_t index)
{
    struct topology_wish exchange, queue;
    int error = plan_reader_producer(list->plan_reader, backend, &exchange, &queue);
    if (error)
        return error;
    struct question question = {
        .broker = backend->broker, .subject = SURVEY_EXCHANGE, .index = index};
    ask_exchange(list, &exchange.exchange, question);
    question.subject = SURVEY_QUEUE;
    ask_queue(list, &queue.queue, question);
    return 0;
}

static int ask_tap(struct list *list, const struct plan_tap *tap, uint32_t index)
{
    const struct topology_wish *wishes;
    size_t n_wishes;
    int error = plan_reader_tap(list->plan_reader, tap, &wishes, &n_wishes);
    if (error)
        return error;
    struct question question = {.broker = tap->broker, .subject = SURVEY_TAP_QUEUE, .index = index};
    ask_queue(list, &wishes[0].queue, question);
    question.subject = SURVEY_TAP_EXCHANGE;
    for (size_t i = 0; i < n_wishes; i++) {
        question.part = (uint32_t)i;
        if (wishes[i].exchange.declare != TOPOLOGY_NONE) /* then nothing is bound to it either */
            ask_exchange(list, &wishes[i].exchange, question);
    }
    return 0;
}

/* A producer raises two at most, a tap one and one for each binding. */
static size_t most(const struct plan_reader *plan_reader, const struct plan_worker *root)
{
    const struct plan_tap *taps = plan_items(plan_reader->plan, root->taps);
    size_t n = 2 * (size_t)root->backends.count + root->taps.count;
    for (uint32_t i = 0; i < root->taps.count; i++)
        n += taps[i].bindings.count;
    return n;
}

static int ask_all(struct list *list, const struct plan_worker *root)
{
    const struct plan_backend *backends = plan_items(list->plan_reader->plan, root->backends);
    const struct plan_tap *taps = plan_items(list->plan_reader->plan, root->taps);
    int error = 0;
    for (uint32_t i = 0; !error && i < root->backends.count; i++)
        if (backends[i].verb == PLAN_PRODUCE)
            error = ask_producer(list, &backends[i], i);
    for (uint32_t i = 0; !error && i < root->taps.count; i++)
        error = ask_tap(list, &taps[i], i);
    return error;
}

int questions_new(struct plan_reader *plan_reader, const struct plan_worker *root,
    struct question **questions, size_t *n_questions)
{
    struct list list = {.plan_reader = plan_reader};
    list.items = calloc(most(plan_reader, root) + 1, sizeof(*list.items));
    if (!list.items)
        return -ENOMEM;
    int error = ask_all(&list, root);
    if (error) {
        free(list.items);
        return error;
    }
    *questions = list.items;
    *n_questions = list.n;
    return 0;
}
