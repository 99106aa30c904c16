// SPDX-License-Identifier: Apache-2.0
//
// How the numbers are found. For a given total N every endpoint and every destination may take the whole numbers of one
// interval. Intervals that nest (endpoints in destinations in the total) can be met together exactly when each level's sums
// of lower and upper ends embrace what the level above allows, so one pass over the classes (endpoints of one destination
// with equal share) decides whether N will do. Bounds that hold for every N say where to begin, and from about 50 on
// nearly every N beyond them will do, so that few are tried.
#include "mesh/slots.h"

#include "base/hash.h"

#include <string.h>

#define ENDPOINT_TOLERANCE 0.02
#define GROUP_TOLERANCE 0.01
#define ROUNDING 1e-7             // in slots: a number that is at the tolerance but for rounding errors is outside
#define KEY_SCALE 1099511627776.0 // shares that differ by less than 2^-40 are equal

enum { DEFAULT_SLOTS = 1000, MIN_SLOTS = 100, MAX_SLOTS = 10000 };

typedef struct entry {
    double share;  // of what is listed; all sum to 1
    uint64_t key;  // share as an integer, for sorting and equality
    uint64_t rank; // rendezvous
    uint32_t item;
    uint32_t group;
    bool light; // may be left out: 0 slots are within the tolerance
} entry;

typedef struct class
{ // endpoints of one group with equal share: entries [first, first + count)
    double share;
    uint32_t first;
    uint32_t count;
    uint32_t low;
    uint32_t high;
    uint32_t each;  // slots of every member,
    uint32_t extra; // and of so many of them one more
} class;

typedef struct group { // classes [first, first + count)
    double share;
    uint32_t first;
    uint32_t count;
    uint32_t members;
    uint32_t low;
    uint32_t high;
    uint32_t total;
} group;

typedef struct work {
    entry *entries;
    entry *scratch;
    class *classes;
    group *groups;
    uint32_t entry_count;
    uint32_t class_count;
    uint32_t group_count;
    uint32_t max_slots;
    double endpoint_tolerance;
    double group_tolerance;
} work;

// --- Sorting (stable merge sort in the arena's memory: qsort may call malloc) ----------------------------------------

typedef bool (*before_fn)(const entry *a, const entry *b);

static bool by_share(const entry *a, const entry *b)
{
    if (a->group != b->group) {
        return a->group < b->group;
    }
    return a->key != b->key ? a->key > b->key : a->rank < b->rank;
}

static bool by_rank(const entry *a, const entry *b)
{
    if (a->group != b->group) {
        return a->group < b->group;
    }
    return a->light != b->light ? b->light : a->rank < b->rank;
}

static void merge(const entry *from, entry *to, uint32_t half, uint32_t end, before_fn before)
{
    uint32_t a = 0;
    uint32_t b = half;
    for (uint32_t i = 0; i < end; i++) {
        bool second = a == half || (b < end && before(&from[b], &from[a]));
        to[i] = second ? from[b++] : from[a++];
    }
}

static void sort(work *w, before_fn before)
{
    for (uint32_t width = 1; width < w->entry_count; width *= 2) {
        for (uint32_t at = 0; at < w->entry_count; at += 2 * width) {
            uint32_t left = w->entry_count - at;
            uint32_t half = width < left ? width : left;
            merge(w->entries + at, w->scratch + at, half, 2 * width < left ? 2 * width : left, before);
        }
        entry *sorted = w->scratch;
        w->scratch = w->entries;
        w->entries = sorted;
    }
}

// --- Classes and groups ---------------------------------------------------------------------------------------------

static void add_class(work *w, uint32_t at)
{
    const entry *e = &w->entries[at];
    if (w->group_count == 0 || w->entries[at - 1].group != e->group) {
        w->groups[w->group_count++] = (group){.first = w->class_count};
    }
    w->groups[w->group_count - 1].count++;
    w->classes[w->class_count++] = (class){.share = e->share, .first = at};
}

static void build(work *w)
{
    w->class_count = 0;
    w->group_count = 0;
    sort(w, by_share);
    for (uint32_t i = 0; i < w->entry_count; i++) {
        const entry *e = &w->entries[i];
        if (i == 0 || e[-1].group != e->group || e[-1].key != e->key) {
            add_class(w, i);
        }
        w->classes[w->class_count - 1].count++;
        w->groups[w->group_count - 1].share += e->share;
        w->groups[w->group_count - 1].members++;
    }
}

static void set_share(entry *e, double share)
{
    e->share = share;
    e->key = (uint64_t)(share * KEY_SCALE + 0.5);
}

// --- Does a total do? -----------------------------------------------------------------------------------------------

static uint32_t lowest(double share, double tolerance, uint32_t total)
{
    double bound = total * (share - tolerance) + ROUNDING;
    return bound < 0 ? 0 : (uint32_t)bound + 1;
}

static uint32_t highest(double share, double tolerance, uint32_t total)
{
    double bound = total * (share + tolerance) - ROUNDING; // never negative: tolerances are 1 % at least, totals 1
    if (bound > total) {
        return total;
    }
    uint32_t whole = (uint32_t)bound;
    return whole < bound ? whole : whole - 1;
}

static bool group_fits(const work *w, group *g, uint32_t total)
{
    uint64_t low = 0;
    uint64_t high = 0;
    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        class *c = &w->classes[i];
        c->low = lowest(c->share, w->endpoint_tolerance, total);
        c->low = c->low != 0 ? c->low : 1;
        c->high = highest(c->share, w->endpoint_tolerance, total);
        if (c->low > c->high) {
            return false;
        }
        low += (uint64_t)c->low * c->count;
        high += (uint64_t)c->high * c->count;
    }
    uint32_t wanted_low = lowest(g->share, w->group_tolerance, total);
    uint32_t wanted_high = highest(g->share, w->group_tolerance, total);
    if (low > wanted_high || high < wanted_low) {
        return false;
    }
    g->low = low > wanted_low ? (uint32_t)low : wanted_low;
    g->high = high < wanted_high ? (uint32_t)high : wanted_high;
    return true;
}

static bool fits(const work *w, uint32_t total)
{
    uint64_t low = 0;
    uint64_t high = 0;
    for (uint32_t i = 0; i < w->group_count; i++) {
        if (!group_fits(w, &w->groups[i], total)) {
            return false;
        }
        low += w->groups[i].low;
        high += w->groups[i].high;
    }
    return low <= total && total <= high;
}

// The smallest total that does, or 0.
static uint32_t find_total(const work *w)
{
    double first = w->entry_count;
    for (uint32_t i = 0; i < w->group_count; i++) {
        // Each member takes 1 slot at least, so members / total must not be above the share and its tolerance.
        double least = w->groups[i].members / (w->groups[i].share + w->group_tolerance);
        first = least > first ? least : first;
    }
    if (first > w->max_slots) {
        return 0;
    }
    for (uint32_t total = (uint32_t)first; total <= w->max_slots; total++) {
        if (fits(w, total)) {
            return total;
        }
    }
    return 0;
}

// --- Numbers for a total that does ----------------------------------------------------------------------------------

// Group totals: the rounded-down ideal, then the largest remainders, inside the bounds.
static void assign_groups(const work *w, uint32_t total)
{
    int64_t rest = total;
    for (uint32_t i = 0; i < w->group_count; i++) {
        group *g = &w->groups[i];
        uint32_t ideal = (uint32_t)(g->share * total + ROUNDING);
        g->total = ideal < g->low ? g->low : ideal > g->high ? g->high : ideal;
        rest -= g->total;
    }
    while (rest != 0) {
        group *best = NULL;
        double best_need = 0;
        for (uint32_t i = 0; i < w->group_count; i++) {
            group *g = &w->groups[i];
            double need = (g->share * total - g->total) * (rest > 0 ? 1 : -1);
            bool possible = rest > 0 ? g->total < g->high : g->total > g->low;
            if (possible && (best == NULL || need > best_need)) {
                best = g;
                best_need = need;
            }
        }
        if (best == NULL) {
            return; // not after fits() has agreed
        }
        best->total = rest > 0 ? best->total + 1 : best->total - 1;
        rest += rest > 0 ? -1 : 1;
    }
}

// The class to which one slot more (up) or less for each member comes nearest to the ideal. A class as a whole is
// preferred, so that equal endpoints stay equal; only where none is small enough, a part of one.
static class *class_to_move(const work *w, const group *g, bool up, int64_t rest)
{
    class *best = NULL;
    bool best_whole = false;
    double best_need = 0;
    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        class *c = &w->classes[i];
        bool whole = c->count <= (up ? rest : -rest);
        double need = (c->share / g->share * g->total - c->each) * (up ? 1 : -1);
        bool possible = up ? c->each < c->high : c->each > c->low;
        bool better = whole == best_whole ? need > best_need : whole;
        if (possible && (best == NULL || better)) {
            best = c;
            best_whole = whole;
            best_need = need;
        }
    }
    return best;
}

static void assign_group(const work *w, const group *g)
{
    int64_t rest = g->total;
    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        class *c = &w->classes[i];
        uint32_t ideal = (uint32_t)(c->share / g->share * g->total + ROUNDING);
        c->each = ideal < c->low ? c->low : ideal > c->high ? c->high : ideal;
        c->extra = 0;
        rest -= (int64_t)c->each * c->count;
    }
    while (rest != 0) {
        bool up = rest > 0;
        class *c = class_to_move(w, g, up, rest);
        if (c == NULL) {
            return; // not after fits() has agreed
        }
        if (c->count <= (up ? rest : -rest)) {
            c->each = up ? c->each + 1 : c->each - 1;
            rest -= up ? (int64_t)c->count : -(int64_t)c->count;
        } else {
            c->extra = (uint32_t)(up ? rest : (int64_t)c->count + rest);
            c->each -= up ? 0 : 1;
            rest = 0;
        }
    }
}

static void assign(const work *w, uint32_t total, ist_mesh_slot_item *items)
{
    assign_groups(w, total);
    for (uint32_t i = 0; i < w->group_count; i++) {
        assign_group(w, &w->groups[i]);
    }
    for (uint32_t i = 0; i < w->class_count; i++) {
        const class *c = &w->classes[i];
        for (uint32_t k = 0; k < c->count; k++) {
            items[w->entries[c->first + k].item].slots = c->each + (k < c->extra ? 1 : 0);
        }
    }
}

// --- Hysteresis -----------------------------------------------------------------------------------------------------

// The previous slots of a group's endpoints together, or 0 where one of them is outside its bounds (the lower one is 1 at
// least, so that everyone must have had a number).
static uint64_t previous_of(const work *w, const group *g, const ist_mesh_slot_item *items)
{
    uint64_t sum = 0;
    const class *c = &w->classes[g->first];
    uint32_t end = c->first + g->members;
    for (uint32_t i = c->first; i < end; i++) {
        while (i >= c->first + c->count) {
            c++;
        }
        uint32_t slots = items[w->entries[i].item].previous;
        if (slots < c->low || slots > c->high) {
            return 0;
        }
        sum += slots;
    }
    return sum;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// The total of the previous numbers if they belong to exactly the listed endpoints, are still inside the bounds and have no
// common divisor (as when some of them are left over from a larger set), else 0.
static uint32_t previous_total(const work *w, const ist_mesh_slot_item *items, size_t count)
{
    uint64_t total = 0;
    uint64_t divisor = 0;
    uint32_t listed = 0;
    for (size_t i = 0; i < count; i++) {
        total += items[i].previous;
        divisor = common_divisor(items[i].previous, divisor);
        listed += items[i].previous != 0 ? 1 : 0;
    }
    if (divisor != 1 || total > w->max_slots || listed != w->entry_count || !fits(w, (uint32_t)total)) {
        return 0;
    }
    for (uint32_t i = 0; i < w->group_count; i++) {
        uint64_t sum = previous_of(w, &w->groups[i], items);
        if (sum < w->groups[i].low || sum > w->groups[i].high || sum == 0) {
            return 0;
        }
    }
    return (uint32_t)total;
}

// --- Fewer endpoints ------------------------------------------------------------------------------------------------

typedef struct quota { // of one group, at max_slots
    double share;
    double light_share;
    uint32_t heavy_slots; // what its heavy endpoints take at least
    uint32_t heavy;
    uint32_t light; // how many light ones there are,
    uint32_t keep;  // and how many stay
} quota;

// `w` is sorted by share, `quotas` has room for its groups.
static void measure(const work *w, quota *quotas)
{
    for (uint32_t i = 0; i < w->group_count; i++) {
        const group *g = &w->groups[i];
        quota q = {.share = g->share};
        for (uint32_t k = g->first; k < g->first + g->count; k++) {
            const class *c = &w->classes[k];
            if (w->entries[c->first].light) {
                q.light += c->count;
                q.light_share += c->share * c->count;
            } else {
                uint32_t low = lowest(c->share, ENDPOINT_TOLERANCE, w->max_slots);
                q.heavy += c->count;
                q.heavy_slots += (low != 0 ? low : 1) * c->count;
            }
        }
        uint32_t high = highest(g->share, GROUP_TOLERANCE, w->max_slots);
        uint32_t room = high > q.heavy_slots ? high - q.heavy_slots : 0;
        q.keep = q.light < room ? q.light : room;
        quotas[i] = q;
    }
}

static uint64_t least_total(const work *w, const quota *quotas)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < w->group_count; i++) {
        uint32_t low = lowest(quotas[i].share, GROUP_TOLERANCE, w->max_slots);
        uint32_t taken = quotas[i].heavy_slots + quotas[i].keep;
        total += taken > low ? taken : low;
    }
    return total;
}

// Takes endpoints from the group that has most slots above its share until the least numbers fit.
static void shrink(const work *w, quota *quotas)
{
    for (uint64_t total = least_total(w, quotas); total > w->max_slots; total--) {
        quota *most = NULL;
        double most_surplus = 0;
        for (uint32_t i = 0; i < w->group_count; i++) {
            quota *q = &quotas[i];
            double surplus = q->heavy_slots + q->keep - q->share * w->max_slots;
            if (q->keep != 0 && (most == NULL || surplus > most_surplus)) {
                most = q;
                most_surplus = surplus;
            }
        }
        if (most == NULL) {
            return; // only heavy ones are left, and those fit
        }
        most->keep--;
    }
}

// Keeps the first `keep` light entries of each group in rendezvous order, and lets them carry what the others had.
static void apply(work *w, const quota *quotas)
{
    uint32_t kept = 0;
    uint32_t at = 0;
    double sum = 0;
    sort(w, by_rank); // heavy ones first
    for (uint32_t i = 0; i < w->group_count; i++) {
        const quota *q = &quotas[i];
        uint32_t heavy_end = at + q->heavy;
        uint32_t keep_end = heavy_end + q->keep;
        double light_kept = 0;
        for (uint32_t k = heavy_end; k < keep_end; k++) {
            light_kept += w->entries[k].share;
        }
        double heavy_scale = q->keep == 0 && q->heavy != 0 ? q->share / (q->share - q->light_share) : 1;
        for (uint32_t k = at; k < keep_end; k++) {
            entry e = w->entries[k];
            e.share *= k < heavy_end ? heavy_scale : q->light_share / light_kept;
            sum += e.share;
            w->entries[kept++] = e;
        }
        at = heavy_end + q->light;
    }
    w->entry_count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        set_share(&w->entries[i], w->entries[i].share / sum);
    }
    build(w);
}

// No total does for all endpoints: leaves out light ones until one does; returns it. IST_ENOMEM.
static ist_status thin(work *w, ist_arena *arena, uint32_t *ret_total)
{
    uint32_t all_count = w->entry_count;
    entry *all = IST_ARENA_ARRAY(arena, all_count, entry);
    quota *quotas = IST_ARENA_ARRAY(arena, w->group_count, quota);
    if (all == NULL || quotas == NULL) {
        return IST_ENOMEM;
    }
    memcpy(all, w->entries, all_count * sizeof(entry));
    measure(w, quotas);
    shrink(w, quotas);
    uint32_t total = 0;
    for (bool again = true; again && total == 0;) {
        memcpy(w->entries, all, all_count * sizeof(entry));
        w->entry_count = all_count;
        build(w);
        uint32_t groups = w->group_count;
        apply(w, quotas);
        total = find_total(w);
        again = false;
        for (uint32_t i = 0; i < groups; i++) { // the next try, where needed, has an eighth less
            again = again || quotas[i].keep > 1;
            quotas[i].keep -= quotas[i].keep > 1 ? (quotas[i].keep + 7) / 8 : 0;
        }
    }
    if (total == 0) { // very many small destinations: as near as it goes
        total = w->max_slots;
        w->endpoint_tolerance = 1;
        w->group_tolerance = 1;
        (void)fits(w, total); // sets the bounds; true because every share may take anything now
    }
    *ret_total = total;
    return IST_OK;
}

// --- Entry ----------------------------------------------------------------------------------------------------------

static ist_status prepare(work *w, const ist_mesh_slots_args *args, const ist_mesh_slot_item *items, size_t count,
                          ist_arena *arena)
{
    double sum = 0;
    uint32_t listed = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].share > 0) {
            sum += items[i].share;
            listed++;
        }
    }
    w->entries = IST_ARENA_ARRAY(arena, listed, entry);
    w->scratch = IST_ARENA_ARRAY(arena, listed, entry);
    w->classes = IST_ARENA_ARRAY(arena, listed, class);
    w->groups = IST_ARENA_ARRAY(arena, listed, group);
    if (w->entries == NULL || w->scratch == NULL || w->classes == NULL || w->groups == NULL) {
        return IST_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].share > 0) {
            entry *e = &w->entries[w->entry_count++];
            *e = (entry){.item = (uint32_t)i, .group = items[i].group};
            e->rank = ist_hash_combine(args->pod_identity, items[i].identity);
            set_share(e, items[i].share / sum);
            e->light = e->share < ENDPOINT_TOLERANCE;
        }
    }
    build(w);
    return IST_OK;
}

static double largest_error(const ist_mesh_slot_item *items, size_t count, uint32_t total)
{
    double largest = 0;
    for (size_t i = 0; i < count && total != 0; i++) {
        double share = items[i].share > 0 ? items[i].share : 0;
        double error = (double)items[i].slots / total - share;
        error = error < 0 ? -error : error;
        largest = error > largest ? error : largest;
    }
    return largest;
}

static void write_back(const work *w, uint32_t total, bool keep_previous, ist_mesh_slot_item *items, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += items[i].share > 0 ? items[i].share : 0;
        items[i].slots = keep_previous ? items[i].previous : 0;
        items[i].listed_share = 0;
    }
    for (uint32_t i = 0; i < w->entry_count; i++) {
        items[w->entries[i].item].listed_share = w->entries[i].share * sum;
    }
    if (!keep_previous && total != 0) {
        assign(w, total, items);
    }
}

ist_status ist_mesh_slots(const ist_mesh_slots_args *args, ist_mesh_slot_item *items, size_t count, ist_arena *arena,
                          uint32_t *ret_total, double *ret_error)
{
    work w = {.endpoint_tolerance = ENDPOINT_TOLERANCE, .group_tolerance = GROUP_TOLERANCE};
    uint32_t wanted = args->max_slots != 0 ? args->max_slots : DEFAULT_SLOTS;
    w.max_slots = wanted < MIN_SLOTS ? MIN_SLOTS : wanted > MAX_SLOTS ? MAX_SLOTS : wanted;
    ist_status status = count <= UINT32_MAX ? prepare(&w, args, items, count, arena) : IST_ENOMEM;
    uint32_t total = 0;
    if (status == IST_OK && w.entry_count != 0) {
        total = find_total(&w);
        if (total == 0) {
            status = thin(&w, arena, &total);
        }
    }
    if (status != IST_OK) {
        return status;
    }
    // The bounds of the new total must be the last that were computed, so they are computed again where needed.
    bool bounded = w.group_tolerance <= GROUP_TOLERANCE; // else any numbers would do, however old
    uint32_t previous = bounded ? previous_total(&w, items, count) : 0;
    bool keep_previous = previous != 0;
    if (keep_previous) {
        total = previous;
    } else if (total != 0) {
        (void)fits(&w, total);
    }
    write_back(&w, total, keep_previous, items, count);
    *ret_total = total;
    *ret_error = largest_error(items, count, total);
    return IST_OK;
}
