/* A delegate for tests: it takes over every NEG of a model and multiplies by the option "factor" instead.
 *
 * With the option "fail" it fails where that says: "create", "prepare" or "invoke". The structures are those of
 * TensorFlow Lite's common.h and external_delegate_interface.h, as far as they are used here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, ERROR = 1, NEG = 59 };

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
    int type;
    float *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    Delegate *delegate;
    int buffer_handle;
    bool data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;

typedef struct {
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
} Node; /* it has more, and is never made here */

typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *registration_external, *async_kernel;
    uint64_t inplace_operator;
} Registration;

struct Context {
    size_t tensors_size;
    int (*GetExecutionPlan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*ResizeTensor)(Context *, Tensor *, IntArray *);
    void (*ReportError)(Context *, const char *, ...);
    int (*AddTensors)(Context *, int, int *);
    int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
    int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
}; /* and more */

struct Delegate {
    void *data;
    int (*Prepare)(Context *, Delegate *);
    void *CopyFromBufferHandle, *CopyToBufferHandle, *FreeBufferHandle;
    int64_t flags;
    void *opaque_delegate_builder;
    float factor;
    char fail[16];
};

typedef struct { Delegate *delegate; } Params; /* TfLiteDelegateParams begins so */

static void *init(Context *context, const char *buffer, size_t length) {
    (void)context;
    (void)length;
    return ((const Params *)buffer)->delegate;
}

static int invoke(Context *context, Node *node) {
    const Delegate *mine = node->user_data;
    if (!strcmp(mine->fail, "invoke")) {
        context->ReportError(context, "the test's delegate was asked to fail\n");
        return ERROR;
    }
    const Tensor *in = &context->tensors[node->inputs->data[0]];
    Tensor *out = &context->tensors[node->outputs->data[0]];
    for (size_t i = 0; i < in->bytes / sizeof(float); i++) out->data[i] = in->data[i] * mine->factor;
    return OK;
}

static int prepare(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (!strcmp(delegate->fail, "prepare")) {
        context->ReportError(context, "the test's delegate does not like this model\n");
        return ERROR;
    }
    if (context->GetExecutionPlan(context, &plan)) return ERROR;
    IntArray *mine = malloc(sizeof(IntArray) + plan->size * sizeof(int));
    mine->size = 0;
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *registration;
        if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration)) return ERROR;
        if (registration->builtin_code == NEG) mine->data[mine->size++] = plan->data[i];
    }
    Registration kernel = {.init = init, .invoke = invoke, .custom_name = "TestDelegate", .version = 1};
    int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, mine, delegate);
    free(mine);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    Delegate *made = calloc(1, sizeof(Delegate));
    made->Prepare = prepare;
    made->factor = 1;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(keys[i], "factor")) made->factor = strtof(values[i], NULL);
        else if (!strcmp(keys[i], "fail")) snprintf(made->fail, sizeof made->fail, "%s", values[i]);
        else {
            char told[128];
            snprintf(told, sizeof told, "there is no option %s", keys[i]);
            report(told);
            free(made);
            return NULL;
        }
    }
    if (strcmp(made->fail, "create")) return made;
    report("the test's delegate found no device");
    free(made);
    return NULL;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
