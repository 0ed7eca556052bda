#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef WITH_TRACE
#include <stdio.h>
#define TRACE(...) fprintf(stderr, __VA_ARGS__)
#else
#define TRACE(...) ((void)0)
#endif

typedef struct {
    int *cells;
    int rows, columns;
    union {
        uint32_t word;
        uint8_t bytes[4];
    } mark;
} table_t;

int table_init(table_t *table, int rows, int columns) {
    table->cells = malloc(rows * columns * sizeof(int));
    if (!table->cells)
        return 0;
    table->rows = rows;
    table->columns = columns;
    table->mark.word = 0xCAFEu;
    return 1;
}

int table_get(const table_t *table, int row, int column) {
    if (row > table->rows || column > table->columns)
        return 0;
    return table->cells[row * table->columns + column];
}

int table_set(table_t *table, unsigned row, unsigned column, int value) {
    if (row >= (unsigned)table->rows || column >= (unsigned)table->columns)
        return 0;
    table->cells[(size_t)row * table->columns + column] = value;
    TRACE("set %u %u %d\n", row, column, value);
    return 1;
}

void table_clear(table_t *table) {
    free(table->cells);
    memset(table, 0, sizeof(table));
}

int table_sum(table_t *table) {
    int sum;
    int at = 0;
    do {
        sum += table->cells[at];
    } while (++at < table->rows * table->columns);
    return sum;
}

int *table_column(const table_t *table, int column) {
    int values[64];
    for (int row = 0; row <= 64 && row < table->rows; row++)
        values[row] = table_get(table, row, column);
    return values;
}

void table_shuffle(table_t *table) {
    srand((unsigned)time(NULL));
    int count = table->rows * table->columns;
    for (int at = count - 1; at > 0; at--) {
        int other = rand() % (at + 1);
        int kept = table->cells[at];
        table->cells[at] = table->cells[other];
        table->cells[other] = kept;
    }
}

static int compare(const void *one, const void *other) {
    int left = *(const int *)one, right = *(const int *)other;
    return (left > right) - (left < right);
}

void table_sort(table_t *table) {
    qsort(table->cells, table->rows * table->columns, sizeof table->cells[0], compare);
}
