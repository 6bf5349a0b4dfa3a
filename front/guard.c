/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

enum { MAX_LENGTH_DIGITS = 19 }; /* what surely fits into 64 bits */

static const char *const sentences[GUARD_N_OUTCOMES] = {
    [GUARD_OK] = "The head is sound.",
    [GUARD_INCOMPLETE] = "The head does not end with an empty line (RFC 9112, 2.1).",
    [GUARD_TOO_LARGE] = "The head is larger than this server takes (RFC 6585, 5).",
    [GUARD_BARE_LF] = "A line ends with LF alone instead of CR LF (RFC 9112, 2.2).",
    [GUARD_BARE_CR] = "A line holds a CR that no LF follows (RFC 9112, 2.2).",
    [GUARD_BAD_REQUEST_LINE] = "The first line is not METHOD SP target SP HTTP/1.1 (RFC 9112, 3).",
    [GUARD_BAD_TARGET] = "The target is neither a path nor an http URI (RFC 9112, 3.2).",
    [GUARD_BAD_NAME] = "A field has no colon, or its name is not a token (RFC 9112, 5).",
    [GUARD_BLANK_BEFORE_COLON] = "There is white space before a colon (RFC 9112, 5.1).",
    [GUARD_FOLDED] = "A line begins with white space: folded fields are obsolete (RFC 9112, 5.2).",
    [GUARD_CONTROL_BYTE] = "A field's value holds a control character (RFC 9110, 5.5).",
    [GUARD_NO_HOST] = "There is no Host field (RFC 9112, 3.2).",
    [GUARD_TWO_HOSTS] = "There is more than one Host field (RFC 9112, 3.2).",
    [GUARD_BAD_HOST] = "Host is not a host with or without a port (RFC 9112, 3.2).",
    [GUARD_TWO_LENGTHS] = "There is more than one Content-Length field (RFC 9112, 6.3).",
    [GUARD_BAD_LENGTH] = "Content-Length is not one decimal number (RFC 9112, 6.2).",
    [GUARD_TWO_CODINGS] = "There is more than one Transfer-Encoding field (RFC 9112, 6.1).",
    [GUARD_BAD_CODING] = "Transfer-Encoding is not exactly: chunked (RFC 9112, 6.1).",
    [GUARD_OLD_CODING] = "HTTP/1.0 has no Transfer-Encoding (RFC 9112, 6.1).",
    [GUARD_LENGTH_AND_CODING] = "Content-Length excludes Transfer-Encoding (RFC 9112, 6.3).",
};

const char *guard_sentence(enum guard_outcome outcome)
{
    return sentences[outcome];
}

int guard_status(enum guard_outcome outcome)
{
    return outcome == GUARD_TOO_LARGE ? 431 : 400;
}

/* ---- bytes ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_number(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i]))
            return false;
    }
    return true;
}

/* What stands in front of the first `c`, taken off `rest` together with it; all when there is none.
 */
static struct slice take_until(struct slice *rest, char c)
{
    const char *found = rest->len ? memchr(rest->at, c, rest->len) : NULL;
    struct slice taken = {.at = rest->at, .len = found ? (size_t)(found - rest->at) : rest->len};
    size_t n = taken.len + (found != NULL);
    *rest = (struct slice){.at = rest->at + n, .len = rest->len - n};
    return taken;
}

/* ---- lines ---- */

/* The next line off `rest`, without its end. */
static enum guard_outcome line_next(struct slice *rest, struct slice *line)
{
    const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    if (!end)
        return GUARD_INCOMPLETE;
    size_t n = (size_t)(end - rest->at);
    if (!n || end[-1] != '\r')
        return GUARD_BARE_LF;
    if (memchr(rest->at, '\r', n - 1))
        return GUARD_BARE_CR;
    *line = (struct slice){.at = rest->at, .len = n - 1};
    *rest = (struct slice){.at = end + 1, .len = rest->len - n - 1};
    return GUARD_OK;
}

/* ---- the first line ---- */

/* uri-host [":" port], without what no name or address of a server has (RFC 3986, 3.2.2). */
static bool is_host(struct slice text)
{
    struct slice host = text;
    if (text.len && text.at[0] == '[') {
        host = take_until(&text, ']');
        if (text.at == host.at + host.len) /* no bracket closes it */
            return false;
        if (text.len && text.at[0] != ':')
            return false;
        host.at++;
        host.len--;
        text.at += text.len > 0;
        text.len -= text.len > 0;
    } else {
        host = take_until(&text, ':');
    }
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];
        if (!is_alphanumeric(c) && (!c || !strchr("-._~%:", c)))
            return false;
    }
    return is_number(text);
}

static bool skip_scheme(struct slice *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t n = strlen(schemes[i]);
        if (target->len < n || strncasecmp(target->at, schemes[i], n) != 0)
            continue;
        *target = (struct slice){.at = target->at + n, .len = target->len - n};
        return true;
    }
    return false;
}

static size_t authority_length(struct slice text)
{
    size_t n = 0;
    while (n < text.len && text.at[n] != '/' && text.at[n] != '?')
        n++;
    return n;
}

/* origin-form or absolute-form; the two others are for proxies and for OPTIONS (3.2). Bytes that a
 * URI may not hold but clients send all the same, such as a raw `|` or UTF-8, stay as they are. */
static enum guard_outcome target_read(struct slice target, struct guard_head *head)
{
    for (size_t i = 0; i < target.len; i++) {
        if (is_control(target.at[i]) || target.at[i] == '#')
            return GUARD_BAD_TARGET;
    }
    if (skip_scheme(&target)) {
        size_t n = authority_length(target);
        head->host = (struct slice){.at = target.at, .len = n};
        target = (struct slice){.at = target.at + n, .len = target.len - n};
        if (!n || !is_host(head->host))
            return GUARD_BAD_TARGET;
    } else if (!target.len || target.at[0] != '/') {
        return GUARD_BAD_TARGET;
    }
    const char *end = target.at + target.len;
    struct slice path = take_until(&target, '?');
    head->query =
        (struct slice){.at = path.at + path.len, .len = (size_t)(end - path.at) - path.len};
    head->path = path.len ? path : slice_of("/");
    return GUARD_OK;
}

static enum guard_outcome request_line_read(struct slice line, struct guard_head *head)
{
    head->method = take_until(&line, ' ');
    struct slice target = take_until(&line, ' ');
    bool is_http1 = line.len == 8 && memcmp(line.at, "HTTP/1.", 7) == 0 && is_digit(line.at[7]);
    if (!slice_is_token(head->method) || !is_http1)
        return GUARD_BAD_REQUEST_LINE;
    head->is_old = line.at[7] == '0';
    return target_read(target, head);
}

/* ---- the fields ---- */

/* A field that may come once: how often it came, and its first value. */
struct once {
    struct slice name;
    unsigned n;
    struct slice value;
};

enum { HOST, LENGTH, CODING, N_ONCE };

static enum guard_outcome field_read(struct slice line, struct once *once)
{
    if (line.at[0] == ' ' || line.at[0] == '\t')
        return GUARD_FOLDED;
    const char *begin = line.at;
    struct slice name = take_until(&line, ':');
    if (line.at == begin + name.len) /* no colon */
        return GUARD_BAD_NAME;
    if (slice_trim(name).len != name.len)
        return GUARD_BLANK_BEFORE_COLON;
    if (!slice_is_token(name))
        return GUARD_BAD_NAME;
    if (!slice_is_field_value(line))
        return GUARD_CONTROL_BYTE;
    for (size_t i = 0; i < N_ONCE; i++) {
        if (slice_equals_nocase(name, once[i].name) && !once[i].n++)
            once[i].value = slice_trim(line);
    }
    return GUARD_OK;
}

static enum guard_outcome host_judge(const struct once *host, struct guard_head *head)
{
    if (!host->n)
        return head->is_old ? GUARD_OK : GUARD_NO_HOST;
    if (host->n > 1)
        return GUARD_TWO_HOSTS;
    if (!is_host(host->value))
        return GUARD_BAD_HOST;
    if (!head->host.len)
        head->host = host->value;
    return GUARD_OK;
}

static enum guard_outcome framing_judge(
    const struct once *length, const struct once *coding, struct guard_head *head)
{
    if (length->n && coding->n)
        return GUARD_LENGTH_AND_CODING;
    if (length->n > 1)
        return GUARD_TWO_LENGTHS;
    if (coding->n > 1)
        return GUARD_TWO_CODINGS;
    if (length->n &&
        (!length->value.len || length->value.len > MAX_LENGTH_DIGITS || !is_number(length->value)))
        return GUARD_BAD_LENGTH;
    for (size_t i = 0; length->n && i < length->value.len; i++)
        head->length = 10 * head->length + (uint64_t)(length->value.at[i] - '0');
    head->is_chunked = coding->n == 1;
    if (!head->is_chunked)
        return GUARD_OK;
    if (head->is_old)
        return GUARD_OLD_CODING;
    return slice_equals_nocase(coding->value, slice_of("chunked")) ? GUARD_OK : GUARD_BAD_CODING;
}

/* All lines up to the empty one; `rest` is what stands behind it. */
static enum guard_outcome lines_read(struct slice *rest, struct once *once, struct guard_head *head)
{
    struct slice line;
    enum guard_outcome outcome = line_next(rest, &line);
    if (!outcome && !line.len) /* one empty line in front is forgiven (2.2) */
        outcome = line_next(rest, &line);
    if (!outcome)
        outcome = request_line_read(line, head);
    while (!outcome && !(outcome = line_next(rest, &line)) && line.len)
        outcome = field_read(line, once);
    return outcome;
}

enum guard_outcome guard_read(const char *bytes, size_t n, size_t max_bytes, struct guard_head *out)
{
    struct guard_head head = {0};
    struct once once[N_ONCE] = {
        [HOST] = {.name = SLICE("host")},
        [LENGTH] = {.name = SLICE("content-length")},
        [CODING] = {.name = SLICE("transfer-encoding")},
    };
    struct slice rest = {.at = bytes, .len = n < max_bytes ? n : max_bytes};
    enum guard_outcome outcome = lines_read(&rest, once, &head);
    if (outcome == GUARD_INCOMPLETE && n >= max_bytes)
        return GUARD_TOO_LARGE;
    if (!outcome)
        outcome = framing_judge(&once[LENGTH], &once[CODING], &head);
    if (!outcome)
        outcome = host_judge(&once[HOST], &head);
    if (outcome)
        return outcome;
    head.bytes = (size_t)(rest.at - bytes);
    *out = head;
    return GUARD_OK;
}
