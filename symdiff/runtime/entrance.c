/* What stands before a compiled program: `Reading` looks at what the function reached by itself,
   `Entrance` is what a user calls. Both hand on, unchanged, what they are not made for. */

static PyTypeObject reading_type;
static PyObject *code_name;                                /* "__code__", interned */

/* ------------------------------------------------------------------ what is reached */

/* A value by one step, which takes the place of the one before. */
static PyObject *step(PyObject *value, PyObject *is_item, PyObject *key)
{
    PyObject *found;
    if (is_item != Py_True) {
        found = PyFunction_Check(value) && key == code_name
            ? Py_NewRef(PyFunction_GET_CODE(value)) : PyObject_GetAttr(value, key);
    } else if (PyDict_CheckExact(value)) {
        found = Py_XNewRef(PyDict_GetItemWithError(value, key));
        if (found == NULL && !PyErr_Occurred())
            PyErr_SetObject(PyExc_KeyError, key);
    } else {
        found = PyObject_GetItem(value, key);
    }
    Py_DECREF(value);
    return found;
}

/* The value of (root, steps, expected, holds) now, if it is the expected one or `holds` says that
   it is as good; of one that is read anew, `holds` is None. Without an error: it is neither. */
static PyObject *reach(PyObject *read)
{
    PyObject *steps = PyTuple_GET_ITEM(read, 1), *holds = PyTuple_GET_ITEM(read, 3);
    PyObject *value = Py_NewRef(PyTuple_GET_ITEM(read, 0));
    for (Py_ssize_t i = 0; value != NULL && i < PyTuple_GET_SIZE(steps); i += 2)
        value = step(value, PyTuple_GET_ITEM(steps, i), PyTuple_GET_ITEM(steps, i + 1));
    if (value == NULL || holds == Py_None || value == PyTuple_GET_ITEM(read, 2))
        return value;
    PyObject *said = PyObject_CallNoArgs(holds);
    const int good = said == NULL ? -1 : PyObject_IsTrue(said);
    Py_XDECREF(said);
    if (good <= 0)
        Py_CLEAR(value);
    return value;
}

static int is_gone(void)                                   /* and no other error */
{
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError)
        && !PyErr_ExceptionMatches(PyExc_LookupError) && !PyErr_ExceptionMatches(PyExc_TypeError)
        && !PyErr_ExceptionMatches(PyExc_ValueError))
        return 0;
    PyErr_Clear();
    return 1;
}

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *bound, *reads;
    Py_ssize_t hidden;
} Reading;

static PyObject *reading_call(PyObject *callable, PyObject *const *args, size_t nargsf,
    PyObject *names)
{
    Reading *self = (Reading *)callable;
    const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (names != NULL && PyTuple_GET_SIZE(names))          /* which is an error */
        return bound_call(self->bound, args, nargsf, names);
    PyObject *few[FEW], **values = few, *result = NULL;
    if (count + self->hidden > FEW) {
        values = PyMem_Malloc((size_t)(count + self->hidden) * sizeof(PyObject *));
        if (values == NULL)
            return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; i++)
        values[i] = args[i];
    Py_ssize_t taken = count, i = 0;
    for (; i < PyTuple_GET_SIZE(self->reads); i++) {
        PyObject *read = PyTuple_GET_ITEM(self->reads, i), *value = reach(read);
        if (value == NULL)
            break;
        if (PyTuple_GET_ITEM(read, 3) == Py_None)
            values[taken++] = value;
        else
            Py_DECREF(value);
    }
    if (i == PyTuple_GET_SIZE(self->reads))
        result = bound_call(self->bound, values, (size_t)taken, NULL);
    else if (is_gone())
        result = Py_NewRef(((Bound *)self->bound)->miss);
    while (taken > count)
        Py_DECREF(values[--taken]);
    if (values != few)
        PyMem_Free(values);
    return result;
}

/* Bound.reading(reads) */
static PyObject *bound_reading(PyObject *bound, PyObject *reads)
{
    if (!PyTuple_CheckExact(reads)) {
        PyErr_SetString(PyExc_TypeError, "takes a tuple");
        return NULL;
    }
    Reading *self = (Reading *)reading_type.tp_alloc(&reading_type, 0);
    if (self == NULL)
        return NULL;
    self->call = reading_call;
    self->bound = Py_NewRef(bound);
    self->reads = Py_NewRef(reads);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(reads); i++)
        self->hidden += PyTuple_GET_ITEM(PyTuple_GET_ITEM(reads, i), 3) == Py_None;
    return (PyObject *)self;
}

static int reading_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((Reading *)object)->bound);
    Py_VISIT(((Reading *)object)->reads);
    return 0;
}

static void reading_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    Py_CLEAR(((Reading *)object)->bound);
    Py_CLEAR(((Reading *)object)->reads);
    Py_TYPE(object)->tp_free(object);
}

static PyTypeObject reading_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symdiff_binding.Reading",
    .tp_doc = "A compiled program whose function reached values by itself.",
    .tp_basicsize = sizeof(Reading),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL
        | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Reading, call),
    .tp_traverse = reading_traverse,
    .tp_dealloc = reading_dealloc,
};

/* ------------------------------------------------------------------ what a user calls */

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *object, *method, *first, *trace, *miss, *names, *defaults;
} Entrance;

/* One value for each parameter from a call that gives some by name, or not at all. 0: Python has to
   say what is wrong with it. Nothing is owned. */
static int arrange(Entrance *self, PyObject *const *args, Py_ssize_t count, PyObject *given,
    PyObject **values)
{
    const Py_ssize_t arity = PyTuple_GET_SIZE(self->names);
    if (count > arity || arity > FEW)
        return 0;
    for (Py_ssize_t i = 0; i < arity; i++)
        values[i] = i < count ? args[i] : NULL;
    for (Py_ssize_t i = 0; given != NULL && i < PyTuple_GET_SIZE(given); i++) {
        Py_ssize_t at = count;                             /* names are interned, or nearly always */
        while (at < arity && PyTuple_GET_ITEM(self->names, at) != PyTuple_GET_ITEM(given, i))
            at++;
        if (at == arity)
            return 0;
        values[at] = args[count + i];
    }
    for (Py_ssize_t i = count; i < arity; i++) {
        if (values[i] == NULL)
            values[i] = PyTuple_GET_ITEM(self->defaults, i);
        if (values[i] == self->miss)                       /* there is no default */
            return 0;
    }
    return 1;
}

/* By the program that was called last; `miss` where it is for other arguments. */
static PyObject *by_the_last(Entrance *self, PyObject *const *args, Py_ssize_t count,
    PyObject *given)
{
    PyObject *few[FEW], *running;
    if (PyContextVar_Get(self->trace, Py_None, &running))
        return NULL;
    Py_DECREF(running);
    const int whole = given == NULL && count == PyTuple_GET_SIZE(self->names);
    if (running != Py_None || !(whole || arrange(self, args, count, given, few)))
        return Py_NewRef(self->miss);
    PyObject *last = Py_NewRef(PyList_GET_ITEM(self->first, 0));
    const size_t arity = (size_t)PyTuple_GET_SIZE(self->names);
    PyObject *result = PyObject_Vectorcall(last, whole ? args : few, arity, NULL);
    Py_DECREF(last);
    return result;
}

static PyObject *entrance_call(PyObject *callable, PyObject *const *args, size_t nargsf,
    PyObject *given)
{
    Entrance *self = (Entrance *)callable;
    const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (self->object == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the function is being removed");
        return NULL;
    }
    PyObject *result = by_the_last(self, args, count, given);
    if (result != self->miss)
        return result;
    Py_DECREF(result);
    const Py_ssize_t all = count + (given != NULL ? PyTuple_GET_SIZE(given) : 0);
    PyObject *few[FEW + 1], **values = few;
    if (all > FEW) {
        values = PyMem_Malloc((size_t)(all + 1) * sizeof(PyObject *));
        if (values == NULL)
            return PyErr_NoMemory();
    }
    values[0] = self->object;
    for (Py_ssize_t i = 0; i < all; i++)
        values[i + 1] = args[i];
    result = PyObject_Vectorcall(self->method, values, (size_t)count + 1, given);
    if (values != few)
        PyMem_Free(values);
    return result;
}

static PyObject *entrance_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *object, *method, *first, *trace, *miss, *names, *defaults;
    if (!PyArg_ParseTuple(args, "OOO!OOO!O!", &object, &method, &PyList_Type, &first,
                          &trace, &miss, &PyTuple_Type, &names, &PyTuple_Type, &defaults))
        return NULL;
    Entrance *self = (Entrance *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->call = entrance_call;
    self->object = Py_NewRef(object);
    self->method = Py_NewRef(method);
    self->first = Py_NewRef(first);
    self->trace = Py_NewRef(trace);
    self->miss = Py_NewRef(miss);
    self->names = Py_NewRef(names);
    self->defaults = Py_NewRef(defaults);
    return (PyObject *)self;
}

static int entrance_traverse(PyObject *object, visitproc visit, void *arg)
{
    Entrance *self = (Entrance *)object;
    Py_VISIT(self->object);
    Py_VISIT(self->method);
    Py_VISIT(self->first);
    Py_VISIT(self->trace);
    Py_VISIT(self->miss);
    Py_VISIT(self->names);
    Py_VISIT(self->defaults);
    return 0;
}

static int entrance_clear(PyObject *object)               /* all cycles go through these */
{
    Entrance *self = (Entrance *)object;
    Py_CLEAR(self->object);
    Py_CLEAR(self->method);
    Py_CLEAR(self->first);
    return 0;
}

static void entrance_dealloc(PyObject *object)
{
    Entrance *self = (Entrance *)object;
    PyObject_GC_UnTrack(object);
    entrance_clear(object);
    Py_CLEAR(self->trace);
    Py_CLEAR(self->miss);
    Py_CLEAR(self->names);
    Py_CLEAR(self->defaults);
    Py_TYPE(object)->tp_free(object);
}

static PyTypeObject entrance_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symdiff_binding.Entrance",
    .tp_doc = "What a user calls: the program used last where it fits, and else Python.",
    .tp_basicsize = sizeof(Entrance),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = entrance_new,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Entrance, call),
    .tp_traverse = entrance_traverse,
    .tp_clear = entrance_clear,
    .tp_dealloc = entrance_dealloc,
};

/* ------------------------------------------------------------------ the module */

static PyMethodDef functions[] = {
    {"clear_memory", clear_memory, METH_NOARGS, "Give back what is kept for later calls."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "symdiff_binding", "Calls of compiled programs.", -1, functions, NULL,
    NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_symdiff_binding(void)
{
    import_array();
    code_name = PyUnicode_InternFromString("__code__");
    pool_handler = PyCapsule_New(&pool_functions, "mem_handler", NULL);
    if (code_name == NULL || pool_handler == NULL || pthread_key_create(&arena_key, arena_free)
        || PyType_Ready(&bound_type) || PyType_Ready(&reading_type) || PyType_Ready(&entrance_type))
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && (PyModule_AddObjectRef(module, "Bound", (PyObject *)&bound_type)
        || PyModule_AddObjectRef(module, "Entrance", (PyObject *)&entrance_type))) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
