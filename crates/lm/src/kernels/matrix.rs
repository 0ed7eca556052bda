//! Strided matrix views and their product: the only place that talks to the matrix engine.
#![expect(unsafe_code, reason = "the matrix engine takes pointers, and tasks write disjoint columns of one buffer")]

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::strips::{STRIP, Strip, is_fused, multiply_strip};
use super::transpose::transpose;

/// A read-only view of rows and columns in a buffer.
///
/// Invariant: every element `row * row_stride + column * column_stride` lies inside `data`.
#[derive(Clone, Copy)]
pub(crate) struct MatrixRef<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> MatrixRef<'a> {
    /// The whole of a buffer that holds `rows` times `columns` numbers, row by row.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a buffer of {rows} x {columns}");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged; nothing moves.
    pub(crate) fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// A range of rows.
    pub(crate) fn row_range(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.rows, "rows {range:?} of {}", self.rows);
        let data = self.elements_from(range.start * self.row_stride);
        Self { data, rows: range.len(), ..self }
    }

    /// A range of columns.
    pub(crate) fn column_range(self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.columns, "columns {range:?} of {}", self.columns);
        let data = self.elements_from(range.start * self.column_stride);
        Self { data, columns: range.len(), ..self }
    }

    /// One row of a matrix whose rows are contiguous.
    pub(crate) fn row(self, row: usize) -> &'a [f32] {
        assert!(row < self.rows && self.column_stride == 1, "row {row} of {} contiguous rows", self.rows);
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// A range that ends a matrix may begin past the last element when the other side is narrowed; it is then empty.
    fn elements_from(self, offset: usize) -> &'a [f32] {
        &self.data[offset.min(self.data.len())..]
    }

    pub(crate) fn num_rows(self) -> usize {
        self.rows
    }

    pub(crate) fn num_columns(self) -> usize {
        self.columns
    }

    fn assert_inside(self) {
        if self.rows > 0 && self.columns > 0 {
            let last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride;
            assert!(last < self.data.len(), "a view inside its buffer");
        }
    }
}

/// A writable view of rows and columns in a buffer; each row is contiguous.
///
/// Invariant: the elements of the view belong to it alone for `'a`. Views of one buffer may interleave (they are cut by
/// columns), so the view holds a pointer: a slice would claim the elements of its neighbours.
pub(crate) struct MatrixMut<'a> {
    pointer: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: a view is the only access to its elements, like `&mut [f32]`, which may move to another thread.
unsafe impl Send for MatrixMut<'_> {}

impl<'a> MatrixMut<'a> {
    /// The whole of a buffer that holds `rows` times `columns` numbers, row by row.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a buffer of {rows} x {columns}");
        Self { pointer: data.as_mut_ptr(), rows, columns, row_stride: columns, borrow: PhantomData }
    }

    /// The first `count` rows and the rest.
    pub(crate) fn split_rows(self, count: usize) -> (Self, Self) {
        assert!(count <= self.rows, "{count} rows of {}", self.rows);
        let rest = Self { pointer: self.offset(count, 0), rows: self.rows - count, ..self };
        (Self { rows: count, ..self }, rest)
    }

    /// The first `count` columns and the rest.
    pub(crate) fn split_columns(self, count: usize) -> (Self, Self) {
        assert!(count <= self.columns, "{count} columns of {}", self.columns);
        let rest = Self { pointer: self.offset(0, count), columns: self.columns - count, ..self };
        (Self { columns: count, ..self }, rest)
    }

    /// Cuts all columns into pieces of equal width.
    pub(crate) fn into_column_pieces(self, width: usize) -> Vec<Self> {
        assert!(self.columns.is_multiple_of(width), "{} columns in pieces of {width}", self.columns);
        let mut rest = self;
        let mut pieces = Vec::with_capacity(rest.columns / width);
        while rest.columns > 0 {
            let (piece, remaining) = rest.split_columns(width);
            pieces.push(piece);
            rest = remaining;
        }
        pieces
    }

    /// A range of rows and columns, borrowed for as long as the result lives.
    pub(crate) fn window(&mut self, rows: Range<usize>, columns: Range<usize>) -> MatrixMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns, "columns {columns:?} of {}", self.columns);
        MatrixMut {
            pointer: self.offset(rows.start, columns.start),
            rows: rows.len(),
            columns: columns.len(),
            row_stride: self.row_stride,
            borrow: PhantomData,
        }
    }

    /// One row.
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: the row exists, its elements are contiguous, and the view owns them while it is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.offset(row, 0), self.columns) }
    }

    /// Sets every element.
    pub(crate) fn fill(&mut self, value: f32) {
        for row in 0..self.rows {
            self.row(row).fill(value);
        }
    }

    /// The address of an element, or one past the end of the view's buffer for an empty remainder.
    fn offset(&self, row: usize, column: usize) -> *mut f32 {
        // Wrapping, as an empty remainder may point outside; it is never read.
        self.pointer.wrapping_add(row * self.row_stride + column)
    }
}

/// The number of results up to which the engine multiplies strided rows in another order.
const FEW_RESULTS: usize = 256;

/// Whether a product replaces its destination or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The old values are never read.
    Overwrite,
    /// The product is added.
    Accumulate,
}

/// The most columns of a product whose sums the engine cuts in one way for up to as many rows, and in another for more.
const FEW_COLUMNS: usize = 64;
/// The longest sums that it cuts in the same way for all.
const UNCUT_SUM: usize = 512;

/// `destination (+)= scale * left * right`, on the calling thread.
pub(crate) fn multiply(
    destination: &mut MatrixMut<'_>,
    store: Store,
    scale: f32,
    left: MatrixRef<'_>,
    right: MatrixRef<'_>,
) {
    let inner = left.columns;
    if destination.columns > FEW_COLUMNS || inner <= UNCUT_SUM {
        multiply_uncut(destination, store, scale, left, right);
        return;
    }
    let pieces = inner.div_ceil(UNCUT_SUM);
    let length = inner.div_ceil(pieces);
    for start in (0..inner).step_by(length) {
        let piece = start..(start + length).min(inner);
        let store = if start == 0 { store } else { Store::Accumulate };
        multiply_uncut(destination, store, scale, left.column_range(piece.clone()), right.row_range(piece));
    }
}

/// [`multiply`] by the engine.
///
/// Each element is summed over the inner dimension in an order that depends on that dimension alone, except in products
/// of a single row, so a row's result does not depend on the rows beside it ([`multiply_rows`] covers the exception).
fn multiply_uncut(
    destination: &mut MatrixMut<'_>,
    store: Store,
    scale: f32,
    left: MatrixRef<'_>,
    right: MatrixRef<'_>,
) {
    assert_eq!(left.rows, destination.rows, "rows of the product");
    assert_eq!(right.columns, destination.columns, "columns of the product");
    assert_eq!(left.columns, right.rows, "the inner dimension");
    left.assert_inside();
    right.assert_inside();
    // SAFETY: both operands lie inside their slices (just asserted), the destination's elements are its own (invariant
    // of the view) so they overlap neither operand, and all strides are those of the views.
    unsafe {
        gemm::gemm(
            destination.rows,
            destination.columns,
            left.columns,
            destination.pointer,
            1,
            destination.row_stride as isize,
            store == Store::Accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The most rows whose product is computed strip by strip.
const FEW_ROWS: usize = 48;

/// [`multiply_row_views`] for few rows; the inputs are contiguous. Strips first, then what remains of the columns.
fn multiply_few_rows(mut output: MatrixMut<'_>, store: Store, input: &[f32], weight: MatrixRef<'_>) {
    let strips = weight.columns / STRIP;
    for strip in 0..strips {
        let columns = strip * STRIP..(strip + 1) * STRIP;
        let numbers = weight.elements_from(columns.start);
        let strip = Strip { numbers, rows: weight.rows, stride: weight.row_stride };
        multiply_strip(&mut output, &columns, store, input, strip);
    }
    let rest = strips * STRIP..weight.columns;
    if !rest.is_empty() {
        let (_, output) = output.split_columns(rest.start);
        let input = MatrixRef::new(input, output.rows, weight.rows);
        multiply_row_views(output, store, 1.0, input, weight.column_range(rest));
    }
}

/// Whether [`multiply_few_rows`] is the way to go.
fn are_few(rows: usize, weight: MatrixRef<'_>) -> bool {
    rows <= FEW_ROWS && weight.column_stride == 1 && weight.columns >= STRIP && weight.rows > 2 && is_fused()
}

/// `output (+)= input * weight` with contiguous rows, where a row's result does not depend on how many there are, nor on
/// which dimension of the weight is outermost.
pub(crate) fn multiply_rows(output: &mut [f32], store: Store, input: &[f32], weight: MatrixRef<'_>) {
    let (inner, columns) = (weight.rows, weight.columns);
    let rows = output.len() / columns;
    assert_eq!(output.len(), rows * columns, "whole rows of {columns}");
    assert_eq!(input.len(), rows * inner, "{rows} rows of {inner}");
    // A single row is multiplied as two, below.
    if weight.column_stride != 1 && (rows.max(2) * columns <= FEW_RESULTS || columns == 1) {
        let mut turned = Vec::new();
        transpose(&mut turned, weight.transposed());
        multiply_rows(output, store, input, MatrixRef::new(&turned, inner, columns));
        return;
    }
    if are_few(rows, weight) {
        multiply_few_rows(MatrixMut::new(output, rows, columns), store, input, weight);
        return;
    }
    if rows == 1 {
        // The engine sums a single row in another order; two equal rows take the common path.
        let twice = [input, input].concat();
        let mut result = [&*output, &*output].concat();
        multiply_rows(&mut result, store, &twice, weight);
        output.copy_from_slice(&result[..columns]);
        return;
    }
    multiply(&mut MatrixMut::new(output, rows, columns), store, 1.0, MatrixRef::new(input, rows, inner), weight);
}

/// The fewest columns of a task of [`multiply_rows_divided`]: more than decide how the engine cuts sums.
const TASK_COLUMNS: usize = 2 * FEW_COLUMNS;
/// Tasks per thread, so that one that is held up leaves work to others.
const TASKS_PER_THREAD: usize = 2;

/// [`multiply_rows`] on all threads, each of which reads a part of the weight. For few rows, which take less time than
/// reading the weight does.
pub(crate) fn multiply_rows_divided(output: &mut [f32], store: Store, input: &[f32], weight: MatrixRef<'_>) {
    let (inner, columns) = (weight.rows, weight.columns);
    let rows = output.len() / columns;
    let tasks = (TASKS_PER_THREAD * rayon::current_num_threads()).min(columns / TASK_COLUMNS);
    if tasks < 2 {
        multiply_rows(output, store, input, weight);
        return;
    }
    let (numbers, input) = (input, MatrixRef::new(input, rows, inner));
    let mut rest = MatrixMut::new(output, rows, columns);
    let mut pieces = Vec::with_capacity(tasks);
    let mut start = 0;
    for task in 1..=tasks {
        let end = if task == tasks { columns } else { task * (columns / STRIP) / tasks * STRIP };
        let (piece, remaining) = rest.split_columns(end - start);
        rest = remaining;
        pieces.push((piece, start..end));
        start = end;
    }
    pieces.into_par_iter().with_max_len(1).for_each(|(piece, range)| {
        let weight = weight.column_range(range);
        if are_few(rows, weight) {
            multiply_few_rows(piece, store, numbers, weight);
        } else {
            multiply_row_views(piece, store, 1.0, input, weight);
        }
    });
}

/// [`multiply_rows`] for views, with a factor. The weight's rows are contiguous: for others the engine has several ways, with
/// several orders of addition, and the number of rows decides between them.
pub(crate) fn multiply_row_views(
    mut output: MatrixMut<'_>,
    store: Store,
    scale: f32,
    input: MatrixRef<'_>,
    weight: MatrixRef<'_>,
) {
    assert_eq!(weight.column_stride, 1, "contiguous rows");
    if weight.columns == 1 {
        // A single column, too, is summed in an order of its own.
        let twice: Vec<f32> = (0..weight.rows).flat_map(|row| [weight.row(row)[0]; 2]).collect();
        let twice = MatrixRef::new(&twice, weight.rows, 2);
        let mut result = vec![0.0; 2 * output.rows];
        if store == Store::Accumulate {
            for (row, result) in result.chunks_exact_mut(2).enumerate() {
                result.fill(output.row(row)[0]);
            }
        }
        let rows = output.rows;
        multiply_row_views(MatrixMut::new(&mut result, rows, 2), store, scale, input, twice);
        for (row, result) in result.chunks_exact(2).enumerate() {
            output.row(row)[0] = result[0];
        }
        return;
    }
    if output.rows == 1 {
        let twice = [input.row(0), input.row(0)].concat();
        let twice = MatrixRef::new(&twice, 2, input.columns);
        let columns = output.columns;
        let output = output.row(0);
        let mut result = [&*output, &*output].concat();
        multiply(&mut MatrixMut::new(&mut result, 2, columns), store, scale, twice, weight);
        output.copy_from_slice(&result[..columns]);
        return;
    }
    multiply(&mut output, store, scale, input, weight);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + salt * 11) % 17) as f32 - 8.0).collect()
    }

    /// The definition of the product, on small integers so that every order of addition gives the same.
    fn expected(a: &[f32], b: &[f32], m: usize, k: usize, n: usize) -> Vec<f32> {
        (0..m * n).map(|at| (0..k).map(|i| a[at / n * k + i] * b[i * n + at % n]).sum()).collect()
    }

    #[test]
    fn product_of_views_matches_the_definition() {
        let (m, k, n) = (5, 7, 3);
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let wanted = expected(&a, &b, m, k, n);
        let mut c = vec![f32::NAN; m * n];
        let (left, right) = (MatrixRef::new(&a, m, k), MatrixRef::new(&b, k, n));
        multiply(&mut MatrixMut::new(&mut c, m, n), Store::Overwrite, 1.0, left, right);
        assert_eq!(c, wanted);
        multiply(&mut MatrixMut::new(&mut c, m, n), Store::Accumulate, 2.0, left, right);
        assert_eq!(c, wanted.iter().map(|x| 3.0 * x).collect::<Vec<_>>());
        // The transpose of the product is the product of the transposes, the other way round.
        let mut t = vec![0.0; n * m];
        multiply(&mut MatrixMut::new(&mut t, n, m), Store::Overwrite, 1.0, right.transposed(), left.transposed());
        assert_eq!(t[m + 2], wanted[2 * n + 1]);
    }

    #[test]
    fn interleaved_pieces_write_only_their_own_columns() {
        let mut buffer = vec![0.0; 4 * 6];
        let (top, bottom) = MatrixMut::new(&mut buffer, 4, 6).split_rows(2);
        for (number, mut piece) in top.into_column_pieces(2).into_iter().enumerate() {
            piece.fill(number as f32 + 1.0);
        }
        let mut bottom = bottom;
        bottom.window(1..2, 3..5).fill(9.0);
        let wanted =
            [[1.0, 1.0, 2.0, 2.0, 3.0, 3.0], [1.0, 1.0, 2.0, 2.0, 3.0, 3.0], [0.0; 6], [0.0, 0.0, 0.0, 9.0, 9.0, 0.0]];
        assert_eq!(buffer, wanted.concat());
    }

    #[test]
    fn a_row_does_not_depend_on_the_rows_beside_it() {
        let (k, n) = (640, 96);
        let weight: Vec<f32> = (0..k * n).map(|i| ((i * 7919 % 1000) as f32 - 500.0) / 777.0).collect();
        let input: Vec<f32> = (0..200 * k).map(|i| ((i * 104_729 % 1000) as f32 - 500.0) / 333.0).collect();
        let product = |rows: Range<usize>| {
            let mut output = vec![0.0; rows.len() * n];
            let input = &input[rows.start * k..rows.end * k];
            multiply_rows(&mut output, Store::Overwrite, input, MatrixRef::new(&weight, k, n));
            output
        };
        let all = product(0..200);
        for rows in [0..1, 3..5, 7..20, 60..125, 100..200] {
            assert_eq!(product(rows.clone()), all[rows.start * n..rows.end * n], "rows {rows:?}");
        }
    }

    #[test]
    fn a_weight_multiplies_the_same_whichever_dimension_is_outermost() {
        let noise = |count: usize, salt: usize| -> Vec<f32> {
            (0..count).map(|i| (((i + salt) * 104_729 % 1009) as f32 - 500.0) / 333.0).collect()
        };
        for (inner, columns) in
            [(2, 5), (3, 130), (40, 1), (40, 80), (56, 128), (64, 129), (576, 70), (640, 96), (1100, 300), (90, 1537)]
        {
            let stored = noise(inner * columns, 3);
            let weight = MatrixRef::new(&stored, columns, inner).transposed();
            let mut turned = Vec::new();
            transpose(&mut turned, weight.transposed());
            for rows in [1, 2, 3, 4, 7, 16, 33, 64, 65, 150] {
                let input = noise(rows * inner, 9);
                for store in [Store::Overwrite, Store::Accumulate] {
                    let product = |weight: MatrixRef<'_>| {
                        let mut output = noise(rows * columns, 20);
                        multiply_rows(&mut output, store, &input, weight);
                        output
                    };
                    let wanted = product(MatrixRef::new(&turned, inner, columns));
                    assert_eq!(product(weight), wanted, "{rows} rows, {inner} x {columns}");
                }
            }
        }
    }

    #[test]
    fn dividing_a_product_among_threads_changes_nothing() {
        let noise = |count: usize, salt: usize| -> Vec<f32> {
            (0..count).map(|i| (((i + salt) * 104_729 % 1009) as f32 - 500.0) / 333.0).collect()
        };
        for (inner, columns) in [(40, 90), (576, 300), (576, 577), (1536, 576), (90, 2048)] {
            let (weight, input) = (noise(inner * columns, 1), noise(70 * inner, 2));
            let weight = MatrixRef::new(&weight, inner, columns);
            for rows in [1, 2, 3, 16, 70] {
                let input = &input[..rows * inner];
                for store in [Store::Overwrite, Store::Accumulate] {
                    let mut wanted = noise(rows * columns, 3);
                    let mut found = wanted.clone();
                    multiply_rows(&mut wanted, store, input, weight);
                    multiply_rows_divided(&mut found, store, input, weight);
                    assert_eq!(found, wanted, "{rows} rows, {inner} x {columns}");
                }
            }
        }
    }

    #[test]
    fn a_row_of_any_shape_does_not_depend_on_the_rows_beside_it() {
        const ROWS: usize = 110;
        let noise = |count: usize, salt: usize| -> Vec<f32> {
            (0..count).map(|i| (((i + salt) * 104_729 % 1009) as f32 - 500.0) / 333.0).collect()
        };
        for inner in [1, 2, 3, 4, 5, 8, 16, 20, 40, 56, 513, 576, 1100] {
            for columns in [1, 2, 3, 4, 5, 8, 12, 15, 20, 40, 56] {
                let weight = noise(inner * columns, 5);
                let (input, start) = (noise(ROWS * inner, 77), noise(ROWS * columns, 11));
                for store in [Store::Overwrite, Store::Accumulate] {
                    let product = |rows: Range<usize>| {
                        let mut output = start[rows.start * columns..rows.end * columns].to_vec();
                        let input = MatrixRef::new(&input[rows.start * inner..rows.end * inner], rows.len(), inner);
                        let destination = MatrixMut::new(&mut output, rows.len(), columns);
                        multiply_row_views(destination, store, 0.7, input, MatrixRef::new(&weight, inner, columns));
                        output
                    };
                    let all = product(0..ROWS);
                    for rows in [0..1, 3..5, 7..20, 0..48, 48..110, 109..110, 32..80] {
                        let wanted = &all[rows.start * columns..rows.end * columns];
                        assert_eq!(product(rows.clone()), wanted, "{inner} x {columns}, rows {rows:?}");
                    }
                }
            }
        }
    }
}
