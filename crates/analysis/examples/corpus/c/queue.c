#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 32
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A message in a queue; the queue owns its text. */
struct message {
    uint32_t kind;
    size_t length;
    char *text;
    struct message *next;
};

typedef struct queue {
    struct message *first, *last;
    char name[NAME_SIZE];
    int (*filter)(const struct message *message, void *context);
} queue_t;

static queue_t *queue_new(const char *name) {
    queue_t *queue = malloc(sizeof(queue_t));
    queue->first = queue->last = NULL;
    strcpy(queue->name, name);
    queue->filter = NULL;
    return queue;
}

/* Reads a message: a kind, a length and as many bytes as that. */
static int queue_read(queue_t *queue, const uint8_t *bytes, size_t size) {
    uint32_t kind, length;
    if (size < 8) {
        return -EINVAL;
    }
    memcpy(&kind, bytes, 4);
    memcpy(&length, bytes + 4, 4);
    struct message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        return -ENOMEM;
    }
    message->text = malloc(length + 1);
    memcpy(message->text, bytes + 8, length);
    message->text[length] = '\0';
    message->length = length;
    message->kind = kind;
    if (queue->filter && !queue->filter(message, queue)) {
        free(message->text);
        free(message);
    }
    if (queue->last) {
        queue->last->next = message;
    } else {
        queue->first = message;
    }
    queue->last = message;
    return 0;
}

static void queue_free(queue_t *queue) {
    struct message *message = queue->first;
    while (message) {
        struct message *next = message->next;
        free(message->text);
        free(message);
        message = next;
    }
    free(queue);
}

static size_t queue_longest(const queue_t *queue) {
    size_t longest = 0;
    for (const struct message *message = queue->first; message != NULL; message = message->next)
        longest = MAX(longest, message->length);
    return longest;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s NAME\n", argv[0]);
        return 1;
    }
    queue_t *queue = queue_new(argv[1]);
    uint8_t bytes[512];
    size_t got;
    while ((got = fread(bytes, 1, sizeof bytes, stdin)) > 0) {
        if (queue_read(queue, bytes, got) != 0) {
            break;
        }
    }
    printf(argv[1]);
    printf(": %zu\n", queue_longest(queue));
    queue_free(queue);
    return 0;
}
