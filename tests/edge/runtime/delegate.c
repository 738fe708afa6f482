/* Stands in for an accelerator's library: the two functions that every TFLite delegate has to export, as in
   tensorflow/lite/delegates/external/external_delegate_interface.h. FAKE_DELEGATE says what it does: "works" (it takes
   no operator, so the CPU's kernels compute), "absent", "hang" or "crash" while loading, "refuse" the model.
   FAKE_DEVICE names a file that stands for the device: as with a Coral, one process can open it, as often as it likes. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct Delegate {
    void *data;
    int (*prepare)(void *context, struct Delegate *delegate);
    void *copy_from, *copy_to, *free_handle;
    long flags;
    void *builder;
};

static int is(const char *mode) {
    const char *wanted = getenv("FAKE_DELEGATE");
    return wanted && strcmp(wanted, mode) == 0;
}

static int prepare(void *context, struct Delegate *delegate) { return is("refuse") ? 1 : 0; }

static int opened = -1;

static int open_device(void) {
    const char *device = getenv("FAKE_DEVICE");
    if (!device || opened >= 0) return 1;
    opened = open(device, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (opened >= 0 && flock(opened, LOCK_EX | LOCK_NB) == 0) return 1;
    opened = -1;
    return 0;
}

struct Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*report)(const char *)) {
    if (is("absent")) {
        report("no device on any bus");
        return NULL;
    }
    while (is("hang")) sleep(1);
    if (is("crash")) abort();
    if (!open_device()) {
        report("the device is held by another process");
        return NULL;
    }
    struct Delegate *made = calloc(1, sizeof *made);
    made->prepare = prepare;
    return made;
}

void tflite_plugin_destroy_delegate(struct Delegate *delegate) { free(delegate); }
