// SPDX-License-Identifier: Apache-2.0
#include "nacos_priv.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdio.h>

// --- Subscribing ----------------------------------------------------------------------------------------------------

void nacos_subscriber_name(nacos_subscriber *subscriber, ist_strv agent)
{
    (void)snprintf(subscriber->agent, sizeof(subscriber->agent), "%.*s", IST_STRV_ARG(agent)); // cut is fine
}

nacos_subscription *nacos_subscription_find(const nacos_subscriber *subscriber, const nacos_list *list)
{
    nacos_subscription *each = subscriber->subscriptions;
    while (each != NULL && each->list != list) {
        each = each->next_of_subscriber;
    }
    return each;
}

static void count_subscription(ist_api_nacos *nacos, bool more)
{
    nacos->subscription_count += more ? 1 : (size_t)-1;
    ist_metric_set(nacos->subscriptions, (double)nacos->subscription_count);
}

nacos_subscription *nacos_subscribe(ist_api_nacos *nacos, nacos_subscriber *subscriber, nacos_list *list)
{
    nacos_subscription *subscription = nacos_subscription_find(subscriber, list);
    if (subscription == NULL && nacos->subscription_count < NACOS_SUBSCRIPTIONS_MAX) {
        subscription = IST_NEW(nacos_subscription);
        if (subscription != NULL) {
            *subscription = (nacos_subscription){.list = list,
                                                 .subscriber = subscriber,
                                                 .next_of_list = list->subscriptions,
                                                 .next_of_subscriber = subscriber->subscriptions};
            list->subscriptions = subscription;
            subscriber->subscriptions = subscription;
            count_subscription(nacos, true);
        }
    }
    if (subscription != NULL) {
        subscription->renewed_ms = nacos_now_ms(nacos);
    }
    return subscription;
}

static void leave_list(nacos_subscription *subscription)
{
    nacos_subscription **at = &subscription->list->subscriptions;
    while (*at != subscription) {
        at = &(*at)->next_of_list;
    }
    *at = subscription->next_of_list;
}

void nacos_unsubscribe(ist_api_nacos *nacos, nacos_subscription *subscription)
{
    nacos_subscription **at = &subscription->subscriber->subscriptions;
    while (*at != subscription) {
        at = &(*at)->next_of_subscriber;
    }
    *at = subscription->next_of_subscriber;
    leave_list(subscription);
    subscription->list->asked_ms = nacos_now_ms(nacos); // from now on it may be forgotten
    ist_free(subscription);
    count_subscription(nacos, false);
}

void nacos_unsubscribe_all(ist_api_nacos *nacos, nacos_subscriber *subscriber)
{
    while (subscriber->subscriptions != NULL) {
        nacos_unsubscribe(nacos, subscriber->subscriptions);
    }
}

// --- Telling --------------------------------------------------------------------------------------------------------

static void send(ist_api_nacos *nacos, nacos_subscription *subscription)
{
    nacos_subscriber *subscriber = subscription->subscriber;
    subscription->sent_id = ++nacos->next_id;
    subscription->sent_ms = nacos_now_ms(nacos);
    subscription->due = false;
    bool sent = subscriber->send(subscriber, subscription, subscription->sent_id);
    ist_metric_add(sent ? nacos->pushes : nacos->push_failures, 1);
    nacos_wake_in(nacos, subscriber->patience_ms); // what could not be sent is tried again as well
}

void nacos_push(ist_api_nacos *nacos, nacos_subscription *subscription)
{
    if (subscription->sent_id != 0) {
        subscription->due = true;
        return;
    }
    subscription->tries = 1;
    send(nacos, subscription);
}

static void settle(ist_api_nacos *nacos, nacos_subscription *subscription)
{
    subscription->sent_id = 0;
    if (subscription->due) {
        nacos_push(nacos, subscription);
    }
}

void nacos_acknowledged(ist_api_nacos *nacos, nacos_subscriber *subscriber, uint64_t id)
{
    for (nacos_subscription *each = subscriber->subscriptions; each != NULL && id != 0;
         each = each->next_of_subscriber) {
        if (each->sent_id == id) {
            settle(nacos, each);
            return;
        }
    }
}

// Again, as the list is now; given up after so many times: what comes next is told anyway.
static void try_again(ist_api_nacos *nacos, nacos_subscription *subscription)
{
    uint32_t tries_max = subscription->subscriber->tries_max;
    if (tries_max == 0 || subscription->tries < tries_max) {
        subscription->tries++;
        send(nacos, subscription);
    } else {
        settle(nacos, subscription);
    }
}

int64_t nacos_push_again(ist_api_nacos *nacos, nacos_subscriber *subscriber, int64_t now_ms)
{
    int64_t next_ms = -1;
    for (nacos_subscription *each = subscriber->subscriptions; each != NULL; each = each->next_of_subscriber) {
        if (each->sent_id != 0 && now_ms - each->sent_ms >= subscriber->patience_ms) {
            try_again(nacos, each);
        }
        if (each->sent_id != 0) {
            next_ms = nacos_earlier(next_ms, each->sent_ms + subscriber->patience_ms - now_ms);
        }
    }
    return next_ms;
}

// --- Changes --------------------------------------------------------------------------------------------------------

static void tell(ist_api_nacos *nacos, nacos_list *list, const nacos_state *state)
{
    bool changed = false;
    if (nacos_list_refresh(list, state, nacos->scratch, &changed) != IST_OK) {
        IST_WARN(IST_LOG_API, "nacos: out of memory, %.*s keeps its hosts until its next change",
                 IST_STRV_ARG(list->wish.key.name));
    }
    for (nacos_subscription *each = list->subscriptions; changed && each != NULL; each = each->next_of_list) {
        nacos_push(nacos, each);
    }
}

void nacos_push_changes(ist_api_nacos *nacos)
{
    size_t it = 0;
    void *value = NULL;
    const ist_mesh_view *before = nacos->lists.view;
    const ist_mesh_view *view = nacos->subscription_count != 0 ? ist_mesh_store_acquire(nacos->store) : NULL;
    nacos_state state = {.view = view, .own = &nacos->own};
    state.alike = before != NULL && view != NULL && (before == view || ist_mesh_view_names_lead_alike(before, view));
    while (nacos->subscription_count != 0 && ist_map_next(nacos->lists.by_wish, &it, NULL, &value)) {
        nacos_list *list = value;
        if (list->subscriptions != NULL) {
            tell(nacos, list, &state);
        }
    }
    nacos->lists.view = view;
    ist_mesh_store_release(nacos->store, before);
}
