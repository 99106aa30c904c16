// SPDX-License-Identifier: Apache-2.0
//
// Calls that came before the first view: a client that got an empty list would run without endpoints until it asks again.
#include "rpc_priv.h"

#include "base/alloc.h"

#define WAITING_MAX 1024
#define WAITING_MESSAGE_MAX_BYTES 65536
#define PATIENCE_MS 2500 // clients give up after 3 s

static void free_waiting(nacos_waiting *waiting)
{
    ist_arena_free(waiting->texts);
    ist_free(waiting);
}

bool nacos_waiting_add(ist_api_nacos *nacos, const ist_rpc_call *rpc)
{
    if (nacos->waiting_count == WAITING_MAX || rpc->message.n > WAITING_MESSAGE_MAX_BYTES) {
        return false;
    }
    nacos_waiting *waiting = IST_NEW(nacos_waiting);
    if (waiting == NULL) {
        return false;
    }
    *waiting = (nacos_waiting){.next = nacos->waiting,
                               .reply = rpc->reply,
                               .texts = ist_arena_new(rpc->message.n + rpc->peer.n + 64, 0),
                               .until_ms = nacos_now_ms(nacos) + PATIENCE_MS};
    if (waiting->texts != NULL) {
        waiting->peer = ist_arena_strv(waiting->texts, rpc->peer);
        waiting->message = ist_arena_strv(waiting->texts, rpc->message);
    }
    if (waiting->peer.p == NULL || waiting->message.p == NULL) {
        free_waiting(waiting);
        return false;
    }
    nacos->waiting = waiting;
    nacos->waiting_count++;
    nacos_wake_in(nacos, PATIENCE_MS);
    return true;
}

int64_t nacos_waiting_tick(ist_api_nacos *nacos, int64_t now_ms)
{
    int64_t next_ms = -1;
    for (nacos_waiting **at = &nacos->waiting; *at != NULL;) {
        nacos_waiting *each = *at;
        ist_rpc_call rpc = {.peer = each->peer, .message = each->message, .arena = each->texts, .reply = each->reply};
        int64_t left_ms = each->until_ms - now_ms;
        if (nacos_call_answer(nacos, &rpc, left_ms > 0)) {
            *at = each->next;
            nacos->waiting_count--;
            free_waiting(each);
            continue;
        }
        next_ms = nacos_earlier(next_ms, left_ms);
        at = &each->next;
    }
    return next_ms;
}

// Those who wait get no answer any more; the replies are the adapter's to end.
void nacos_waiting_done(ist_api_nacos *nacos)
{
    while (nacos->waiting != NULL) {
        nacos_waiting *first = nacos->waiting;
        nacos->waiting = first->next;
        free_waiting(first);
    }
}
