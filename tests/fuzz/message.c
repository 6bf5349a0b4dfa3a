/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of a message as a peer left them in a lane. What is read keeps to the limits, lies inside,
 * and is what a writer would have made of it.
 */
#include "fuzz.h"
#include "shm/cleanup.h"
#include "shm/message.h"

enum { RESERVED = 2 }; /* where a field's two bytes of zero stand */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(cleanup_free) char *box = fuzz_box((struct fuzz_input){bytes, n});
    CLEANUP(cleanup_free) char *copy = fuzz_box((struct fuzz_input){bytes, n});
    struct message_reader reader = {.bytes = (const uint8_t *)box, .size = n};
    struct message_writer writer = {.bytes = (uint8_t *)copy, .size = n};
    struct message_field field;
    enum message_outcome outcome;
    while ((outcome = message_read(&reader, &field)) == MESSAGE_OK) {
        memset(box + writer.used + RESERVED, 0, 2); /* of no meaning to a reader */
        fuzz_expect(message_check(&field) == MESSAGE_OK);
        fuzz_expect(message_write(&writer, &field) == MESSAGE_OK);
        fuzz_expect(writer.used == reader.read);
        fuzz_expect(memcmp(copy, box, writer.used) == 0);
    }
    fuzz_expect(outcome != MESSAGE_END || reader.read == n);
    return 0;
}
