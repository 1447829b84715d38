//! Small systems of linear equations, and least squares by way of them.

/// Solves `a·x = b` by Gaussian elimination with partial pivoting; `None` where `a` is singular.
pub fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let size = b.len();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs()))?;
        if a[pivot][column].abs() < 1e-12 {
            return None;
        }
        a.swap(column, pivot);
        b.swap(column, pivot);
        let (done, below) = a.split_at_mut(column + 1);
        let pivot = &done[column];
        for (row, values) in (column + 1..).zip(below) {
            let factor = values[column] / pivot[column];
            for (value, pivot) in values.iter_mut().zip(pivot) {
                *value -= factor * pivot;
            }
            b[row] -= factor * b[column];
        }
    }
    for column in (0..size).rev() {
        let known: f64 = (column + 1..size).map(|place| a[column][place] * b[place]).sum();
        b[column] = (b[column] - known) / a[column][column];
    }
    Some(b)
}

/// The coefficients that bring `Σ coefficient·x` nearest to `y`, in squares; `None` where they are not determined.
pub fn least_squares(rows: &[Vec<f64>], y: &[f64]) -> Option<Vec<f64>> {
    let width = rows.first()?.len();
    let sum = |f: &dyn Fn(&[f64], f64) -> f64| -> f64 {
        rows.iter().zip(y).map(|(row, &y)| f(row, y)).sum()
    };
    let squares =
        (0..width).map(|i| (0..width).map(|j| sum(&|row, _| row[i] * row[j])).collect()).collect();
    let products = (0..width).map(|i| sum(&|row, y| row[i] * y)).collect();
    solve(squares, products)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        let solved = solve(vec![vec![0.0, 2.0], vec![4.0, 1.0]], vec![6.0, 11.0]);
        assert_eq!(solved, Some(vec![2.0, 3.0]));
        assert_eq!(solve(vec![vec![1.0, 2.0], vec![2.0, 4.0]], vec![1.0, 2.0]), None);
    }

    #[test]
    fn least_squares_pass_between_the_points() {
        // y = 1 + 2x, with one point 1 above and one 1 below: (0,1) (1,4) (2,4) (3,7) gives 1.3 + 1.8x.
        let rows: Vec<_> = (0..4).map(|x| vec![1.0, f64::from(x)]).collect();
        let found = least_squares(&rows, &[1.0, 4.0, 4.0, 7.0]).expect("determined");
        assert!((found[0] - 1.3).abs() < 1e-9 && (found[1] - 1.8).abs() < 1e-9, "{found:?}");
    }
}
