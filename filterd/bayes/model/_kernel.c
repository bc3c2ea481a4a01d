/* The inner loops of the classifier: cutting words, dropping duplicates, adding up a score.
 *
 * What these functions do is written down in numpy beside their callers (filterd/bayes/model/tokens.py,
 * online.py, windows.py); a test holds both to the same answers, and where this file could not be
 * compiled numpy does the work, some four times slower. See docs/adr/0004-kernel.md.
 *
 * Everything here works on memory that a stranger filled. So: no function keeps a pointer, every
 * index that is read from an array is compared with the length of what it points into, every
 * output array's length is compared with the most that can be written, and nothing recurses.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GRAM 4 /* octets */
#define DISTANCES 3 /* pairs are of words 1, 2 and 3 apart */

/* Octets that words are made of: letters, digits, $'!%_- and everything that is not ASCII. */
static unsigned char is_word[256];

/* What a buffer argument holds, as items of one size. */
typedef struct {
    Py_buffer view;
    Py_ssize_t count;
} Items;

/* Take an object's buffer as items of `size` octets. Returns 0 with an exception set on failure. */
static int
take(PyObject *object, Items *items, Py_ssize_t size, int writable)
{
    int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, &items->view, flags) < 0) {
        items->view.obj = NULL;
        return 0;
    }
    if (items->view.itemsize != size) {
        PyErr_Format(PyExc_ValueError, "items of %zd octets, not %zd", size, items->view.itemsize);
        return 0;
    }
    items->count = items->view.len / size;
    return 1;
}

/* Take the arguments' buffers; sizes below 0 are of writable ones. All or none are held after. */
static int
take_all(PyObject *const *args, Items *items, const int *sizes, int count)
{
    for (int i = 0; i < count; i++)
        items[i].view.obj = NULL;
    for (int i = 0; i < count; i++) {
        if (!take(args[i], &items[i], abs(sizes[i]), sizes[i] < 0))
            return 0;
    }
    return 1;
}

static void
release_all(Items *items, int count)
{
    for (int i = 0; i < count; i++) {
        if (items[i].view.obj != NULL)
            PyBuffer_Release(&items[i].view);
    }
}

/* Numbers of one table, one bit each: 128 KiB, which a processor's cache keeps. All zero between
 * calls. The interpreter's lock is held whenever it is used. */
#define TABLE_BITS 20
static uint64_t seen[1 << (TABLE_BITS - 6)];

PyDoc_STRVAR(distinct_doc,
"distinct(numbers, base, kept, at) -> int\n\n"
"Write each of the numbers (int64) once into `kept`, and its last place into `at`, in the order of\n"
"places; return how many. Both outputs must be as long as the input. Raises ValueError for a number\n"
"below `base` or 2**20 above it.");

static PyObject *
distinct(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Items items[3] = {{.view.obj = NULL}, {.view.obj = NULL}, {.view.obj = NULL}};
    PyObject *result = NULL;
    if (nargs != 4) {
        PyErr_SetString(PyExc_TypeError, "distinct takes 4 arguments");
        return NULL;
    }
    long long base = PyLong_AsLongLong(args[1]);
    if (base == -1 && PyErr_Occurred())
        return NULL;
    if (!take(args[0], &items[0], 8, 0) || !take(args[2], &items[1], 8, 1)
        || !take(args[3], &items[2], 8, 1))
        goto done;
    const Py_ssize_t count = items[0].count;
    if (items[1].count < count || items[2].count < count) {
        PyErr_SetString(PyExc_ValueError, "the outputs are too short");
        goto done;
    }
    const int64_t *numbers = items[0].view.buf;
    int64_t *kept = items[1].view.buf, *at = items[2].view.buf;
    for (Py_ssize_t place = 0; place < count; place++) {
        if (((uint64_t)numbers[place] - (uint64_t)base) >> TABLE_BITS != 0) {
            PyErr_SetString(PyExc_ValueError, "a number outside the table");
            goto done;
        }
    }
    /* From the end, without a branch on what is new: nobody could predict it. What is not new is
     * written too, and the next one goes over it. */
    Py_ssize_t next = count;
    for (Py_ssize_t place = count - 1; place >= 0; place--) {
        uint64_t bit = (uint64_t)(numbers[place] - base);
        uint64_t mask = UINT64_C(1) << (bit & 63), before = seen[bit >> 6];
        seen[bit >> 6] = before | mask;
        at[next - 1] = place;
        next -= (before & mask) == 0;
    }
    const Py_ssize_t distinct = count - next;
    memmove(at, at + next, (size_t)distinct * sizeof *at);
    for (Py_ssize_t i = 0; i < distinct; i++) {
        kept[i] = numbers[at[i]];
        seen[(uint64_t)(kept[i] - base) >> 6] = 0;
    }
    result = PyLong_FromSsize_t(distinct);
done:
    release_all(items, 3);
    return result;
}

PyDoc_STRVAR(grams_doc,
"grams(octets, multiplier, shift, numbers) -> int\n\n"
"Write the number of the 4-gram at each octet into `numbers` (int64); return how many.");

static PyObject *
grams(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Items octets = {.view.obj = NULL}, numbers = {.view.obj = NULL};
    PyObject *result = NULL;
    if (nargs != 4) {
        PyErr_SetString(PyExc_TypeError, "grams takes 4 arguments");
        return NULL;
    }
    unsigned long multiplier = PyLong_AsUnsignedLong(args[1]);
    unsigned long shift = PyLong_AsUnsignedLong(args[2]);
    if (PyErr_Occurred())
        return NULL;
    if (!take(args[0], &octets, 1, 0) || !take(args[3], &numbers, 8, 1))
        goto done;
    Py_ssize_t count = octets.count >= GRAM ? octets.count - GRAM + 1 : 0;
    if (numbers.count < count || shift > 31) {
        PyErr_SetString(PyExc_ValueError, "the output is too short, or the shift above 31");
        goto done;
    }
    const unsigned char *from = octets.view.buf;
    int64_t *to = numbers.view.buf;
    for (Py_ssize_t i = 0; i < count; i++) {
        /* Little-endian, whatever the machine is. */
        uint32_t gram = (uint32_t)from[i] | (uint32_t)from[i + 1] << 8
                        | (uint32_t)from[i + 2] << 16 | (uint32_t)from[i + 3] << 24;
        to[i] = (int64_t)((gram * (uint32_t)multiplier) >> shift);
    }
    result = PyLong_FromSsize_t(count);
done:
    if (octets.view.obj != NULL)
        PyBuffer_Release(&octets.view);
    if (numbers.view.obj != NULL)
        PyBuffer_Release(&numbers.view);
    return result;
}

PyDoc_STRVAR(cut_doc,
"cut(joined, limits, seeds, constants, starts, ends, section, hashes) -> int\n\n"
"Cut `joined` into words; return how many. limits: where each section ends (int64, rising, the last\n"
"not beyond the end); seeds: one for each section (uint64); constants: the base of the polynomial\n"
"and the multiplier of the mix (uint64). Written are, for each word, its first octet, the octet\n"
"after its last, its section (int64) and its hash (uint64).");

static PyObject *
cut(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    enum { JOINED, LIMITS, SEEDS, CONSTANTS, STARTS, ENDS, SECTION, HASHES, COUNT };
    static const int sizes[] = {1, 8, 8, 8, -8, -8, -8, -8};
    Items items[COUNT];
    PyObject *result = NULL;
    if (nargs != COUNT) {
        PyErr_SetString(PyExc_TypeError, "cut takes 8 arguments");
        return NULL;
    }
    if (!take_all(args, items, sizes, COUNT))
        goto done;
    Py_ssize_t octets = items[JOINED].count, sections = items[LIMITS].count;
    Py_ssize_t most = octets / 2 + 1, room = items[STARTS].count;
    if (sections == 0 || items[SEEDS].count < sections || items[CONSTANTS].count < 2 || room < most
        || items[ENDS].count < room || items[SECTION].count < room || items[HASHES].count < room) {
        PyErr_SetString(PyExc_ValueError, "arrays that do not fit together");
        goto done;
    }
    const unsigned char *text = items[JOINED].view.buf;
    const int64_t *limits = items[LIMITS].view.buf;
    const uint64_t *seeds = items[SEEDS].view.buf;
    const uint64_t *constants = items[CONSTANTS].view.buf;
    const uint64_t base = constants[0], mix = constants[1];
    int64_t *starts = items[STARTS].view.buf, *ends = items[ENDS].view.buf;
    int64_t *section = items[SECTION].view.buf;
    uint64_t *hashes = items[HASHES].view.buf;
    Py_ssize_t words = 0, here = 0, at = 0;
    while (at < octets) {
        while (at < octets && !is_word[text[at]])
            at++;
        if (at == octets)
            break;
        while (here < sections - 1 && limits[here] <= at)
            here++;
        starts[words] = at;
        uint64_t hash = 0, power = 1;
        for (; at < octets && is_word[text[at]]; at++) {
            hash += text[at] * power;
            power *= base;
        }
        ends[words] = at;
        hash ^= hash >> 29;
        hash *= mix;
        hash ^= hash >> 32;
        section[words] = here;
        hashes[words++] = hash + seeds[here];
    }
    result = PyLong_FromSsize_t(words);
done:
    release_all(items, COUNT);
    return result;
}

PyDoc_STRVAR(number_doc,
"number(hashes, multipliers, shift, table, numbers) -> None\n\n"
"Number words and pairs of words. hashes: of the words; multipliers: of words, of the left word of a\n"
"pair, of the right word by distance 1 to 3 (uint64). Laid end to end in `numbers` (int64): words\n"
"and pairs of neighbours, from `table` on, then pairs 2 and 3 apart, from twice that on.");

static PyObject *
number(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Items items[3] = {{.view.obj = NULL}, {.view.obj = NULL}, {.view.obj = NULL}};
    PyObject *result = NULL;
    if (nargs != 5) {
        PyErr_SetString(PyExc_TypeError, "number takes 5 arguments");
        return NULL;
    }
    unsigned long shift = PyLong_AsUnsignedLong(args[2]);
    long long table = PyLong_AsLongLong(args[3]);
    if (PyErr_Occurred())
        return NULL;
    if (!take(args[0], &items[0], 8, 0) || !take(args[1], &items[1], 8, 0)
        || !take(args[4], &items[2], 8, 1))
        goto done;
    Py_ssize_t many = items[0].count, needed = many;
    for (int distance = 1; distance <= DISTANCES; distance++)
        needed += many > distance ? many - distance : 0;
    if (items[1].count < 2 + DISTANCES || items[2].count < needed || shift > 63) {
        PyErr_SetString(PyExc_ValueError, "arrays that do not fit together");
        goto done;
    }
    const uint64_t *hashes = items[0].view.buf, *multipliers = items[1].view.buf;
    int64_t *to = items[2].view.buf;
    for (Py_ssize_t i = 0; i < many; i++)
        *to++ = (int64_t)((hashes[i] * multipliers[0]) >> shift) + table;
    for (int distance = 1; distance <= DISTANCES; distance++) {
        const uint64_t left = multipliers[1], right = multipliers[1 + distance];
        const int64_t from = distance == 1 ? table : 2 * table;
        for (Py_ssize_t i = 0; i + distance < many; i++) {
            uint64_t both = (hashes[i] * left + hashes[i + distance]) * right;
            *to++ = (int64_t)(both >> shift) + from;
        }
    }
    result = Py_NewRef(Py_None);
done:
    release_all(items, 3);
    return result;
}

/* Sums by the word at which features begin. */
typedef struct {
    double weight;
    double evidence;
    double size;
} Sums;

PyDoc_STRVAR(score_doc,
"score(weights, evidence, grams, words, skips, word_at, skip_at, total, header, header_grams,\n"
"      width, stride, scale, weight) -> tuple\n\n"
"Add up what a model knows of one message: weight and evidence of the whole, then a tuple (start,\n"
"end, weight, size, evidence) of the stretch with the highest score, None if width is 0. weights,\n"
"evidence: float32; the rest of the arrays: int64. evidence is a table as long as the weights or, if\n"
"of another length, that of each word and then of each skip. Raises ValueError for a feature outside\n"
"the tables.");

static int
outside(void)
{
    PyErr_SetString(PyExc_ValueError, "a feature outside the model's tables");
    return 0;
}

/* Add every feature to the whole's sums and, if there are any, to those of its word. */
static int
add_up(const Items *items, Py_ssize_t total, Py_ssize_t header_grams, Sums *whole, Sums *in_header,
       Sums *by_word)
{
    enum { WEIGHTS, EVIDENCE, GRAMS, WORDS, SKIPS, WORD_AT, SKIP_AT };
    const float *weights = items[WEIGHTS].view.buf, *evidences = items[EVIDENCE].view.buf;
    const uint64_t size = (uint64_t)items[WEIGHTS].count, table = size / 2;
    /* Features count from `table` on; so do the rows of what is kept for them. */
    const int is_table = items[EVIDENCE].count == items[WEIGHTS].count;
    const Py_ssize_t many = items[WORDS].count;
    if (!is_table && items[EVIDENCE].count < many + items[SKIPS].count)
        return outside();
    const int64_t *grams = items[GRAMS].view.buf, *words = items[WORDS].view.buf;
    const int64_t *skips = items[SKIPS].view.buf;
    const int64_t *word_at = items[WORD_AT].view.buf, *skip_at = items[SKIP_AT].view.buf;
    for (Py_ssize_t i = 0; i < items[GRAMS].count; i++) {
        if ((uint64_t)grams[i] >= size)
            return outside();
        double weight = weights[grams[i]];
        whole->weight += weight;
        if (i < header_grams)
            in_header->weight += weight;
    }
    for (Py_ssize_t i = 0; i < many; i++) {
        uint64_t feature = (uint64_t)words[i];
        if (feature >= size || feature < table)
            return outside();
        double weight = weights[feature], evidence = evidences[is_table ? feature - table : (uint64_t)i];
        whole->weight += weight;
        whole->evidence += evidence;
        if (by_word != NULL) {
            int64_t at = word_at[i] < total ? word_at[i] : word_at[i] - total;
            if (at < 0 || at >= total)
                return outside();
            by_word[at].weight += weight;
            by_word[at].evidence += evidence;
            by_word[at].size += 1.0;
        }
    }
    const int64_t near = total > 2 ? total - 2 : 0;
    for (Py_ssize_t i = 0; i < items[SKIPS].count; i++) {
        uint64_t feature = (uint64_t)skips[i];
        if (feature < table || feature - table >= size)
            return outside();
        double evidence = evidences[is_table ? feature - table : (uint64_t)(many + i)];
        whole->evidence += evidence;
        if (by_word != NULL) {
            int64_t at = skip_at[i] < near ? skip_at[i] : skip_at[i] - near;
            if (at < 0 || at >= total)
                return outside();
            by_word[at].evidence += evidence;
        }
    }
    return 1;
}

/* The counts' sum as it enters the score (`fused` of online.py). */
static double
fused(double evidence, double scale, double weight)
{
    return copysign(weight * log1p(fabs(evidence) / scale), evidence);
}

/* What makes a stretch, and how its sums become a score. */
typedef struct {
    Py_ssize_t width, stride;
    double scale, weight;
} Stretch;

/* Find the stretch with the highest score, each with the header fields. */
static PyObject *
worst_stretch(const Sums *by_word, Py_ssize_t total, Py_ssize_t header, const Sums *in_header,
              const Stretch *how)
{
    Sums top = *in_header, worst = {0, 0, 0};
    Py_ssize_t worst_start = -1, worst_end = -1;
    double highest = 0.0;
    for (Py_ssize_t i = 0; i < header; i++) {
        top.weight += by_word[i].weight;
        top.evidence += by_word[i].evidence;
        top.size += by_word[i].size;
    }
    for (Py_ssize_t start = header; start < total - how->stride; start += how->stride) {
        Py_ssize_t end = total - start > how->width ? start + how->width : total;
        Sums sums = top;
        for (Py_ssize_t i = start; i < end; i++) {
            sums.weight += by_word[i].weight;
            sums.evidence += by_word[i].evidence;
            sums.size += by_word[i].size;
        }
        double score = sums.weight / sqrt(sums.size > 1.0 ? sums.size : 1.0)
                       + fused(sums.evidence, how->scale, how->weight);
        if (worst_start < 0 || score > highest) {
            highest = score;
            worst = sums;
            worst_start = start;
            worst_end = end;
        }
    }
    if (worst_start < 0)
        return Py_NewRef(Py_None);
    return Py_BuildValue("(nnddd)", worst_start, worst_end, worst.weight, worst.size,
                         worst.evidence);
}

static PyObject *
score(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    enum { ARRAYS = 7, NUMBERS = 5, COUNT = ARRAYS + NUMBERS + 2 };
    static const int sizes[] = {4, 4, 8, 8, 8, 8, 8};
    Items items[ARRAYS];
    Py_ssize_t value[NUMBERS]; /* total, header, header_grams, width, stride */
    PyObject *result = NULL, *worst = NULL;
    Sums whole = {0, 0, 0}, in_header = {0, 0, 0}, *by_word = NULL;
    if (nargs != COUNT) {
        PyErr_SetString(PyExc_TypeError, "score takes 14 arguments");
        return NULL;
    }
    for (int i = 0; i < NUMBERS; i++) {
        value[i] = PyLong_AsSsize_t(args[ARRAYS + i]);
        if (value[i] == -1 && PyErr_Occurred())
            return NULL;
    }
    const Py_ssize_t total = value[0], header = value[1], header_grams = value[2];
    const Stretch how = {
        value[3], value[4], PyFloat_AsDouble(args[COUNT - 2]), PyFloat_AsDouble(args[COUNT - 1]),
    };
    if (PyErr_Occurred())
        return NULL;
    if (!take_all(args, items, sizes, ARRAYS))
        goto done;
    if (total < 0 || header < 0 || header > total || how.width < 0
        || (how.width > 0 && how.stride <= 0) || items[5].count < items[3].count
        || items[6].count < items[4].count) {
        PyErr_SetString(PyExc_ValueError, "arrays and numbers that do not fit together");
        goto done;
    }
    if (how.width > 0 && total > 0) {
        by_word = calloc((size_t)total, sizeof *by_word);
        if (by_word == NULL) {
            PyErr_NoMemory();
            goto done;
        }
    }
    if (!add_up(items, total, header_grams, &whole, &in_header, by_word))
        goto done;
    in_header.size = (double)(header_grams < items[2].count ? header_grams : items[2].count);
    worst = by_word != NULL ? worst_stretch(by_word, total, header, &in_header, &how)
                            : Py_NewRef(Py_None);
    if (worst != NULL)
        result = Py_BuildValue("(ddN)", whole.weight, whole.evidence, worst);
done:
    free(by_word);
    release_all(items, ARRAYS);
    return result;
}

#define SHOWN_LIMIT 16 /* words and pairs of each side that are asked for at most */

/* One word or pair: what it adds to the score, times the side's sign, and where it stands. */
typedef struct {
    double share;
    int64_t at;
} Found;

/* Put one into its place among the highest, if it is one of them. */
static void
insert(Found *best, Py_ssize_t *count, Py_ssize_t shown, Found one)
{
    Py_ssize_t place = *count;
    if (place == shown) {
        if (one.share <= best[place - 1].share)
            return;
        place--;
    }
    else
        (*count)++;
    for (; place > 0 && best[place - 1].share < one.share; place--)
        best[place] = best[place - 1];
    best[place] = one;
}

static PyObject *
found_list(const Found *best, Py_ssize_t count, double sign)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *one = Py_BuildValue("(dL)", sign * best[i].share, (long long)best[i].at);
        if (one == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, one);
    }
    return list;
}

PyDoc_STRVAR(strongest_doc,
"strongest(weights, evidence, words, word_at, total, header, start, end, per_weight, per_evidence,\n"
"          shown) -> tuple\n\n"
"The words and pairs that add most to a score: two lists of (share, at), for spam and for ham, the\n"
"strongest first. A share is per_weight times the weight plus per_evidence times the evidence. Only\n"
"the first `header` of `total` words count, and those from start to end. weights, evidence: float32,\n"
"as in `score`; words, word_at: int64. Raises ValueError for a feature outside the tables.");

static PyObject *
strongest(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    enum { WEIGHTS, EVIDENCE, WORDS, WORD_AT, ARRAYS };
    enum { TOTAL, HEADER, START, END, NUMBERS };
    enum { COUNT = ARRAYS + NUMBERS + 3 };
    static const int sizes[] = {4, 4, 8, 8};
    Items items[ARRAYS];
    Py_ssize_t value[NUMBERS], spams = 0, hams = 0;
    Found spam[SHOWN_LIMIT], ham[SHOWN_LIMIT];
    PyObject *result = NULL;
    if (nargs != COUNT) {
        PyErr_SetString(PyExc_TypeError, "strongest takes 11 arguments");
        return NULL;
    }
    for (int i = 0; i < NUMBERS; i++)
        value[i] = PyLong_AsSsize_t(args[ARRAYS + i]);
    const double per_weight = PyFloat_AsDouble(args[COUNT - 3]);
    const double per_evidence = PyFloat_AsDouble(args[COUNT - 2]);
    const Py_ssize_t shown = PyLong_AsSsize_t(args[COUNT - 1]);
    if (PyErr_Occurred())
        return NULL;
    if (!take_all(args, items, sizes, ARRAYS))
        goto done;
    const Py_ssize_t many = items[WORDS].count;
    const int is_table = items[EVIDENCE].count == items[WEIGHTS].count;
    if (shown < 1 || shown > SHOWN_LIMIT || items[WORD_AT].count < many
        || (!is_table && items[EVIDENCE].count < many)) {
        PyErr_SetString(PyExc_ValueError, "arrays and numbers that do not fit together");
        goto done;
    }
    const float *weights = items[WEIGHTS].view.buf, *evidences = items[EVIDENCE].view.buf;
    const uint64_t size = (uint64_t)items[WEIGHTS].count, table = size / 2;
    const int64_t *words = items[WORDS].view.buf, *word_at = items[WORD_AT].view.buf;
    for (Py_ssize_t i = 0; i < many; i++) {
        const uint64_t feature = (uint64_t)words[i];
        const int64_t place = word_at[i] < value[TOTAL] ? word_at[i] : word_at[i] - value[TOTAL];
        if (feature >= size || feature < table) {
            outside();
            goto done;
        }
        if (place >= value[HEADER] && (place < value[START] || place >= value[END]))
            continue;
        const double evidence = evidences[is_table ? feature - table : (uint64_t)i];
        const double share = per_weight * weights[feature] + per_evidence * evidence;
        if (share > 0.0)
            insert(spam, &spams, shown, (Found){share, word_at[i]});
        else if (share < 0.0)
            insert(ham, &hams, shown, (Found){-share, word_at[i]});
    }
    result = Py_BuildValue("(NN)", found_list(spam, spams, 1.0), found_list(ham, hams, -1.0));
done:
    release_all(items, ARRAYS);
    return result;
}

static PyMethodDef methods[] = {
    {"cut", (PyCFunction)(void (*)(void))cut, METH_FASTCALL, cut_doc},
    {"distinct", (PyCFunction)(void (*)(void))distinct, METH_FASTCALL, distinct_doc},
    {"grams", (PyCFunction)(void (*)(void))grams, METH_FASTCALL, grams_doc},
    {"number", (PyCFunction)(void (*)(void))number, METH_FASTCALL, number_doc},
    {"strongest", (PyCFunction)(void (*)(void))strongest, METH_FASTCALL, strongest_doc},
    {"score", (PyCFunction)(void (*)(void))score, METH_FASTCALL, score_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "filterd.bayes.model._kernel", "The inner loops of the classifier.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__kernel(void)
{
    static const char others[] = "$'!%_-";
    for (int octet = 0; octet < 256; octet++)
        is_word[octet] = octet >= 0x80 || (octet >= '0' && octet <= '9')
                         || (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z')
                         || (octet != 0 && strchr(others, octet) != NULL);
    return PyModule_Create(&definition);
}
