/* A compiled program as a Python function: checks the arguments, allocates results, calls.

   Arguments that the program was not compiled for give the object `miss`, and nothing is done.
   So do those for which a decision falls out otherwise. Where the program itself finds that it
   cannot go on, `fallback` is called in its place. */
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int (*Program)(const void *const *, void *const *, void *);
typedef union { double f64; float f32; int64_t i64; npy_bool b; } Slot;
typedef struct {
    long kind;
    int type, ndim;
    npy_intp dims[NPY_MAXDIMS], bytes;
    PyObject *scalar;
} Leaf;

enum { ARRAY, SCALAR, FLOAT, WIDE, INT, BOOL, NUMBER };    /* kinds of leaves */
enum { LEAF, TUPLE, LIST, DICT, SAME, EQUAL };             /* nodes of trees */
enum { FEW = 32, DECIDED_OTHERWISE = 2 };

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    Program program;
    Py_ssize_t arguments, inputs, constants, outputs;
    long *tree, *result;
    Leaf *leaves, *results;
    void **kept;                                           /* data of the constants */
    PyObject *objects, *owners, *fallback, *miss;
    size_t work;
    int calling;                                           /* 1: with a Call, 2: and memory */
    int release;
} Bound;

/* What stands at the beginning of the work space, as in the source of programs. */
typedef struct { char *at, *end, *most; int (*signals)(void); } Call;
enum { NO_MEMORY = 3, INTERRUPTED = 4 };                   /* what programs return */

/* ------------------------------------------------------------------ work space, one a thread */

typedef struct { void *memory; size_t size; char *lists; size_t room; } Arena;
static pthread_key_t arena_key;
enum { KEPT = 1 << 26 };                                   /* bytes of lists that stay */

static void arena_free(void *memory)
{
    Arena *arena = memory;
    free(arena->memory);
    if (arena->lists != NULL)
        munmap(arena->lists, arena->room);
    free(arena);
}

static Arena *arena_of(size_t size)
{
    Arena *arena = pthread_getspecific(arena_key);
    if (arena == NULL) {
        arena = calloc(1, sizeof(Arena));
        if (arena == NULL || pthread_setspecific(arena_key, arena)) {
            free(arena);
            return NULL;
        }
    }
    if (arena->size < size) {
        free(arena->memory);
        arena->size = 0;
        if (posix_memalign(&arena->memory, 64, size)) {
            arena->memory = NULL;
            return NULL;
        }
        arena->size = size;
    }
    return arena;
}

/* Addresses for as much as the machine has; memory is behind those only that are written to. */
static int arena_lists(Arena *arena)
{
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    size_t room = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : (size_t)1 << 32;
    for (; arena->lists == NULL && room >= KEPT; room /= 2) {
        void *found = mmap(NULL, room, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
        if (found != MAP_FAILED) {
            arena->lists = found;
            arena->room = room;
        }
    }
    return arena->lists != NULL;
}

/* Python's own handlers of signals; whether one raised an error. */
static int signals(void)
{
    const PyGILState_STATE state = PyGILState_Ensure();
    const int raised = PyErr_CheckSignals();
    PyGILState_Release(state);
    return raised;
}

/* Runs a program that has a Call. While it does, handlers of signals find no work space here. */
static int run_calling(const Bound *self, const void *const *in, void *const *out, Arena *arena)
{
    if (self->calling > 1 && !arena_lists(arena))
        return NO_MEMORY;
    Call *call = arena->memory;
    *call = (Call){arena->lists, arena->lists + arena->room, arena->lists, signals};
    pthread_setspecific(arena_key, NULL);
    const int status = self->program(in, out, arena->memory);
    if (arena->lists != NULL && (size_t)(call->most - arena->lists) > KEPT)
        madvise(arena->lists + KEPT, (size_t)(call->most - arena->lists) - KEPT, MADV_DONTNEED);
    if (pthread_getspecific(arena_key) != NULL || pthread_setspecific(arena_key, arena))
        arena_free(arena);
    return status;
}

static int run_program(const Bound *self, const void *const *in, void *const *out, Arena *arena)
{
    if (self->calling)
        return run_calling(self, in, out, arena);
    return self->program(in, out, arena ? arena->memory : NULL);
}

/* ------------------------------------------------------------------ arguments */

typedef struct {
    const void **in;
    Slot *slots;
    PyObject **copies;
    Py_ssize_t leaf, copied;
} Taken;

static int take_array(const Leaf *leaf, PyObject *value, Taken *taken)
{
    if (!PyArray_CheckExact(value))
        return 0;
    PyArrayObject *array = (PyArrayObject *)value;
    if (PyArray_NDIM(array) != leaf->ndim || !PyArray_ISNOTSWAPPED(array))
        return 0;
    if (PyArray_TYPE(array) != leaf->type && !PyArray_EquivTypenums(PyArray_TYPE(array), leaf->type))
        return 0;
    for (int i = 0; i < leaf->ndim; i++)
        if (PyArray_DIM(array, i) != leaf->dims[i])
            return 0;
    if (!PyArray_IS_C_CONTIGUOUS(array) || !PyArray_ISALIGNED(array)) {
        PyObject *copy = PyArray_NewCopy(array, NPY_CORDER);
        if (copy == NULL)
            return -1;
        taken->copies[taken->copied++] = copy;
        array = (PyArrayObject *)copy;
    }
    taken->in[taken->leaf] = PyArray_DATA(array);
    return 1;
}

/* a number of any kind, as one of the type of the leaf */
static int take_number(const Leaf *leaf, PyObject *value, Taken *taken)
{
    if ((PyObject *)Py_TYPE(value) == leaf->scalar) {
        PyArray_ScalarAsCtype(value, &taken->slots[taken->leaf]);
        taken->in[taken->leaf] = &taken->slots[taken->leaf];
        return 1;
    }
    if (leaf->type == NPY_DOUBLE && PyFloat_CheckExact(value)) {
        taken->slots[taken->leaf].f64 = PyFloat_AS_DOUBLE(value);
        taken->in[taken->leaf] = &taken->slots[taken->leaf];
        return 1;
    }
    PyObject *copy = PyArray_FromAny(value, PyArray_DescrFromType(leaf->type), 0, 0,
                                     NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST, NULL);
    if (copy == NULL)
        return -1;
    taken->copies[taken->copied++] = copy;
    taken->in[taken->leaf] = PyArray_DATA((PyArrayObject *)copy);
    return 1;
}

/* 1: taken, 0: of another type, -1: an error was raised */
static int take_leaf(const Leaf *leaf, PyObject *value, Taken *taken)
{
    if (leaf->kind == ARRAY)
        return take_array(leaf, value, taken);
    if (leaf->kind == NUMBER)
        return take_number(leaf, value, taken);
    Slot *slot = &taken->slots[taken->leaf];
    taken->in[taken->leaf] = slot;
    switch (leaf->kind) {
    case SCALAR:
        if ((PyObject *)Py_TYPE(value) != leaf->scalar)
            return 0;
        PyArray_ScalarAsCtype(value, slot);
        return 1;
    case WIDE:
        if (PyLong_CheckExact(value)) {
            slot->f64 = PyLong_AsDouble(value);
            return slot->f64 == -1.0 && PyErr_Occurred() ? -1 : 1;
        }                                                  /* fall through */
    case FLOAT:
        if (!PyFloat_CheckExact(value))
            return 0;
        slot->f64 = PyFloat_AS_DOUBLE(value);
        return 1;
    case INT:
        if (!PyLong_CheckExact(value))
            return 0;
        slot->i64 = PyLong_AsLongLong(value);
        return slot->i64 == -1 && PyErr_Occurred() ? -1 : 1;
    default:
        if (!PyBool_Check(value))
            return 0;
        slot->b = value == Py_True;
        return 1;
    }
}

static int take(const Bound *self, const long **at, PyObject *value, Taken *taken)
{
    const long kind = *(*at)++;
    if (kind == LEAF) {
        const int done = take_leaf(&self->leaves[taken->leaf], value, taken);
        taken->leaf++;
        return done;
    }
    const long count = *(*at)++;
    if (kind == SAME || kind == EQUAL) {
        PyObject *known = PyTuple_GET_ITEM(self->objects, count);
        if (value == known)
            return 1;
        return kind == EQUAL && Py_TYPE(value) == Py_TYPE(known)
            ? PyObject_RichCompareBool(value, known, Py_EQ) : 0;
    }
    if (kind == DICT) {
        if (!PyDict_CheckExact(value) || PyDict_GET_SIZE(value) != count)
            return 0;
        for (long i = 0; i < count; i++) {
            PyObject *key = PyTuple_GET_ITEM(self->objects, *(*at)++);
            PyObject *item = PyDict_GetItemWithError(value, key);
            if (item == NULL)
                return PyErr_Occurred() ? -1 : 0;
            const int done = take(self, at, item, taken);
            if (done <= 0)
                return done;
        }
        return 1;
    }
    if (kind == TUPLE ? !PyTuple_CheckExact(value) : !PyList_CheckExact(value))
        return 0;
    for (long i = 0; i < count; i++) {
        if (PySequence_Fast_GET_SIZE(value) != count)
            return 0;
        const int done = take(self, at, PySequence_Fast_GET_ITEM(value, i), taken);
        if (done <= 0)
            return done;
    }
    return PySequence_Fast_GET_SIZE(value) == count;
}

/* ------------------------------------------------------------------ results */

static PyObject *result_leaf(const Leaf *leaf, const Slot *slot, PyObject *array)
{
    switch (leaf->kind) {
    case ARRAY:
        return Py_NewRef(array);
    case SCALAR: {
        PyArray_Descr *type = PyArray_DescrFromType(leaf->type);
        PyObject *made = PyArray_Scalar((void *)slot, type, NULL);
        Py_DECREF(type);
        return made;
    }
    case INT:
        return PyLong_FromLongLong(slot->i64);
    case BOOL:
        return PyBool_FromLong(slot->b);
    default:
        return PyFloat_FromDouble(slot->f64);
    }
}

static PyObject *result_tree(const Bound *self, const long **at, const Slot *slots, PyObject **made)
{
    const long kind = *(*at)++, count = *(*at)++;
    if (kind == LEAF)
        return result_leaf(&self->results[count], &slots[count], made[count]);
    if (kind == SAME)
        return Py_NewRef(PyTuple_GET_ITEM(self->objects, count));
    PyObject *tree = kind == TUPLE ? PyTuple_New(count)
        : kind == LIST ? PyList_New(count) : PyDict_New();
    for (long i = 0; tree != NULL && i < count; i++) {
        PyObject *key = kind == DICT ? PyTuple_GET_ITEM(self->objects, *(*at)++) : NULL;
        PyObject *part = result_tree(self, at, slots, made);
        if (part == NULL) {
            Py_CLEAR(tree);
        } else if (kind == TUPLE) {
            PyTuple_SET_ITEM(tree, i, part);
        } else if (kind == LIST) {
            PyList_SET_ITEM(tree, i, part);
        } else {
            if (PyDict_SetItem(tree, key, part))
                Py_CLEAR(tree);
            Py_DECREF(part);
        }
    }
    return tree;
}

static PyObject *result_array(const Leaf *leaf);           /* of the pool */

/* ------------------------------------------------------------------ a call */

/* arguments that it was not compiled for: a part of a program, which has no `miss`, takes all */
static PyObject *other(const Bound *self, PyObject *const *args, Py_ssize_t count)
{
    return self->miss != Py_None ? Py_NewRef(self->miss)
        : PyObject_Vectorcall(self->fallback, args, (size_t)count, NULL);
}

static PyObject *run(Bound *self, PyObject *const *args, Py_ssize_t count, Taken *taken,
    void **out, Slot *slots, PyObject **made)
{
    const long *at = self->tree;
    for (Py_ssize_t i = 0; i < count; i++) {
        const int done = take(self, &at, args[i], taken);
        if (done <= 0)
            return done ? NULL : other(self, args, count);
    }
    for (Py_ssize_t i = 0; i < self->constants; i++)
        taken->in[self->inputs + i] = self->kept[i];
    for (Py_ssize_t i = 0; i < self->outputs; i++) {
        const Leaf *leaf = &self->results[i];
        out[i] = &slots[i];
        if (leaf->kind == ARRAY) {
            made[i] = result_array(leaf);
            if (made[i] == NULL)
                return NULL;
            out[i] = PyArray_DATA((PyArrayObject *)made[i]);
        }
    }
    Arena *arena = NULL;
    if (self->work && (arena = arena_of(self->work)) == NULL)
        return PyErr_NoMemory();
    int status;
    if (self->release) {
        Py_BEGIN_ALLOW_THREADS
        status = run_program(self, taken->in, out, arena);
        Py_END_ALLOW_THREADS
    } else {
        status = run_program(self, taken->in, out, arena);
    }
    if (status == INTERRUPTED)
        return NULL;
    if (status == NO_MEMORY) {
        PyErr_SetString(PyExc_MemoryError, "what loops keep for a derivative does not fit");
        return NULL;
    }
    if (status == DECIDED_OTHERWISE)
        return other(self, args, count);
    if (status)
        return PyObject_Vectorcall(self->fallback, args, (size_t)count, NULL);
    at = self->result;
    return result_tree(self, &at, slots, made);
}

static PyObject *bound_call(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names)
{
    Bound *self = (Bound *)callable;
    const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (count != self->arguments || (names != NULL && PyTuple_GET_SIZE(names))) {
        PyErr_Format(PyExc_TypeError, "takes %zd arguments by position", self->arguments);
        return NULL;
    }
    const Py_ssize_t in_count = self->inputs + self->constants, out_count = self->outputs;
    const void *in_few[FEW];
    void *out_few[FEW];
    Slot in_slots[FEW], out_slots[FEW];
    PyObject *copies_few[FEW], *made_few[FEW];
    const int many = in_count > FEW || out_count > FEW;
    const size_t inputs = (size_t)in_count + 1, outputs = (size_t)out_count + 1;
    char *memory = NULL;
    Taken taken = {in_few, in_slots, copies_few, 0, 0};
    void **out = out_few;
    Slot *slots = out_slots;
    PyObject **made = made_few;
    if (many) {                                            /* all have the size of a pointer */
        memory = PyMem_Malloc(8 * (3 * inputs + 3 * outputs));
        if (memory == NULL)
            return PyErr_NoMemory();
        taken.in = (const void **)memory;
        taken.slots = (Slot *)(memory + 8 * inputs);
        taken.copies = (PyObject **)(memory + 16 * inputs);
        out = (void **)(memory + 24 * inputs);
        slots = (Slot *)(memory + 24 * inputs + 8 * outputs);
        made = (PyObject **)(memory + 24 * inputs + 16 * outputs);
    }
    for (Py_ssize_t i = 0; i < out_count; i++)
        made[i] = NULL;
    PyObject *result = run(self, args, count, &taken, out, slots, made);
    for (Py_ssize_t i = 0; i < taken.copied; i++)
        Py_DECREF(taken.copies[i]);
    for (Py_ssize_t i = 0; i < out_count; i++)
        Py_XDECREF(made[i]);
    PyMem_Free(memory);
    return result;
}

/* ------------------------------------------------------------------ the object */

static int read_leaf(PyObject *spec, Leaf *leaf)          /* (kind, type number, shape, class) */
{
    PyObject *shape;
    if (!PyArg_ParseTuple(spec, "liO!O", &leaf->kind, &leaf->type, &PyTuple_Type, &shape,
                          &leaf->scalar))
        return -1;
    PyArray_Descr *dtype = PyArray_DescrFromType(leaf->type);
    if (dtype == NULL)
        return -1;
    leaf->bytes = PyDataType_ELSIZE(dtype);
    Py_DECREF(dtype);
    leaf->ndim = (int)PyTuple_GET_SIZE(shape);
    for (int i = 0; i < leaf->ndim; i++) {
        leaf->dims[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, i));
        leaf->bytes *= leaf->dims[i];
    }
    return PyErr_Occurred() ? -1 : 0;
}

static Leaf *read_leaves(PyObject *specs, Py_ssize_t *count)
{
    *count = PyTuple_GET_SIZE(specs);
    Leaf *leaves = PyMem_Calloc((size_t)*count + 1, sizeof(Leaf));
    for (Py_ssize_t i = 0; leaves != NULL && i < *count; i++)
        if (read_leaf(PyTuple_GET_ITEM(specs, i), &leaves[i])) {
            PyMem_Free(leaves);
            return NULL;
        }
    return leaves;
}

static long *read_tree(PyObject *numbers)
{
    const Py_ssize_t count = PyTuple_GET_SIZE(numbers);
    long *tree = PyMem_Calloc((size_t)count + 1, sizeof(long));
    for (Py_ssize_t i = 0; tree != NULL && i < count; i++)
        tree[i] = PyLong_AsLong(PyTuple_GET_ITEM(numbers, i));
    return tree;
}

static PyObject *bound_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    unsigned long long address;
    Py_ssize_t arguments, work;
    PyObject *tree, *leaves, *results, *result, *objects, *constants, *owners, *fallback, *miss;
    int calling, release;
    if (!PyArg_ParseTuple(args, "KnO!O!O!O!O!O!OnipOO", &address, &arguments, &PyTuple_Type, &tree,
                          &PyTuple_Type, &leaves, &PyTuple_Type, &results, &PyTuple_Type, &result,
                          &PyTuple_Type, &objects, &PyTuple_Type, &constants, &owners, &work,
                          &calling, &release, &fallback, &miss))
        return NULL;
    Bound *self = (Bound *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->call = bound_call;
    self->program = (Program)(uintptr_t)address;
    self->arguments = arguments;
    self->work = (size_t)work;
    self->calling = calling;
    self->release = release;
    self->objects = Py_NewRef(objects);
    self->owners = PyTuple_Pack(4, leaves, results, constants, owners);
    self->fallback = Py_NewRef(fallback);
    self->miss = Py_NewRef(miss);
    self->tree = read_tree(tree);
    self->result = read_tree(result);
    self->leaves = read_leaves(leaves, &self->inputs);
    self->results = read_leaves(results, &self->outputs);
    self->constants = PyTuple_GET_SIZE(constants);
    self->kept = PyMem_Calloc((size_t)self->constants + 1, sizeof(void *));
    if (PyErr_Occurred() || !self->owners || !self->tree || !self->result || !self->leaves
        || !self->results || !self->kept) {
        Py_DECREF(self);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < self->constants; i++)
        self->kept[i] = PyArray_DATA((PyArrayObject *)PyTuple_GET_ITEM(constants, i));
    return (PyObject *)self;
}

static int bound_traverse(PyObject *object, visitproc visit, void *arg)
{
    Bound *self = (Bound *)object;
    Py_VISIT(self->objects);
    Py_VISIT(self->owners);
    Py_VISIT(self->fallback);
    Py_VISIT(self->miss);
    return 0;
}

static int bound_clear(PyObject *object)
{
    Bound *self = (Bound *)object;
    Py_CLEAR(self->objects);
    Py_CLEAR(self->owners);
    Py_CLEAR(self->fallback);
    Py_CLEAR(self->miss);
    return 0;
}

static void bound_dealloc(PyObject *object)
{
    Bound *self = (Bound *)object;
    PyObject_GC_UnTrack(object);
    bound_clear(object);
    PyMem_Free(self->tree);
    PyMem_Free(self->result);
    PyMem_Free(self->leaves);
    PyMem_Free(self->results);
    PyMem_Free(self->kept);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *bound_reading(PyObject *bound, PyObject *reads);

static PyMethodDef bound_methods[] = {
    {"reading", bound_reading, METH_O, "The same, where the function reaches values by itself."},
    {NULL, NULL, 0, NULL}};

static PyTypeObject bound_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symdiff_binding.Bound",
    .tp_doc = "A compiled program as a function.",
    .tp_basicsize = sizeof(Bound),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = bound_new,
    .tp_methods = bound_methods,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Bound, call),
    .tp_traverse = bound_traverse,
    .tp_clear = bound_clear,
    .tp_dealloc = bound_dealloc,
};
