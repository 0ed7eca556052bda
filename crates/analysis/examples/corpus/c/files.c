#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum verdict { VERDICT_YES, VERDICT_NO, VERDICT_UNKNOWN = -1 };

static const char *const ROOT = "/srv/files/";

/**
 * Whether a name is one of a file below the root.
 *
 * @param name what the other side asked for
 */
static enum verdict is_inside(const char *name) {
    char resolved[PATH_MAX];
    char path[256];
    snprintf(path, sizeof(path), "%s%s", ROOT, name);
    if (realpath(path, resolved) == NULL)
        return VERDICT_UNKNOWN;
    return strncmp(resolved, ROOT, strlen(ROOT)) == 0 ? VERDICT_YES : VERDICT_NO;
}

char *read_file(const char *name, size_t *size) {
    char path[128];
    sprintf(path, "%s%s", ROOT, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    char *text = malloc(length + 1);
    *size = fread(text, 1, length, file);
    text[*size] = 0;
    fclose(file);
    return text;
}

int count_lines(const char *name) {
    char command[300];
    strcpy(command, "wc -l ");
    strcat(command, name);
    return system(command);
}

int replace(const char *name, const char *text) {
    struct stat before;
    if (stat(name, &before) == 0 && S_ISREG(before.st_mode)) {
        int handle = open(name, O_WRONLY | O_TRUNC);
        if (handle < 0)
            return -1;
        ssize_t written = write(handle, text, strlen(text));
        close(handle);
        return written == (ssize_t)strlen(text) ? 0 : -1;
    }
    return -1;
}

void upper(char *text) {
    for (char *at = text; *at; ++at)
        *at = (char)toupper((unsigned char)*at);
}

int handle_request(char *line) {
    char word[16];
    int count = 0;
    switch (line[0]) {
    case 'r': {
        size_t size;
        char *text = read_file(line + 2, &size);
        if (text == NULL)
            goto failed;
        upper(text);
        fwrite(text, 1, size, stdout);
        free(text);
        break;
    }
    case 'c':
        if (is_inside(line + 2) != VERDICT_YES)
            goto failed;
        count = count_lines(line + 2);
        break;
    default:
        sscanf(line, "%s", word);
        fprintf(stderr, "unknown word %s\n", word);
        goto failed;
    }
    return count;
failed:
    return -1;
}
