/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"

#include <assert.h>

struct use_handler {
    h2o_handler_t super;
    struct library_use use;
};

static struct library *library_of(const h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(struct library, config, req->conn->ctx->globalconf);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    const struct library_use *use = &((struct use_handler *)handler)->use;
    use->on_request(use->owner, req, library_of(req)->refusal);
    return 0;
}

/* Called by the library, in place of its own. */
void h2o_send_error_generic(
    h2o_req_t *req, int status, const char *reason, const char *body, int flags)
{
    struct library *library = library_of(req);
    assert(!library->refusal); /* on_request() answers everything */
    library->refusal = status;
    req->http1_is_persistent = 0;
    h2o_process_request(req);
    library->refusal = 0;
}

static void handle_path(h2o_pathconf_t *path, const struct library_use *use)
{
    struct use_handler *handler = (void *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->use = *use;
}

void library_init(struct library *library, h2o_evloop_t *loop, const struct library_use *use)
{
    h2o_globalconf_t *config = &library->config;
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX; /* bodies never go to a file in /tmp */
    h2o_config_init(config);
    config->server_name = (h2o_iovec_t){0};
    config->http1.upgrade_to_http2 = 0;
    /* A chunked body must be below it, others may have it. */
    config->max_request_entity_size = use->max_body + 1;
    h2o_hostconf_t *host =
        h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handle_path(h2o_config_register_path(host, "/", 0), use);
    handle_path(&host->fallback_path, use);
    h2o_context_init(&library->context, loop, config);
    /* its timer of requests follows the wall clock; off the loop's list, it is never due */
    h2o_linklist_unlink(&library->context.http1.req_timeout._link);
    library->accept = (h2o_accept_ctx_t){.ctx = &library->context, .hosts = config->hosts};
    library->accept_tls = library->accept;
    library->accept_tls.ssl_ctx = use->tls;
}
