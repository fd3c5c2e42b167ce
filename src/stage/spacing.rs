//! Places on a way, so that each step along it is about as large as the others in what is heard or seen.

/// Places that are tried for each step, equally far apart on the way itself.
const TRIED: usize = 8;

/// How often the gaps are halved over which more than half of an even step happens.
const HALVINGS: usize = 8;

/// `count` things along a way that `make` makes for places of 0..=1, both ends among them: those of all that were tried between which the
/// largest `distance` is as small as can be. Where much changes at once, places are tried closer together.
///
/// # Errors
/// As for `make`.
pub fn spaced<T, E>(
    count: usize,
    mut make: impl FnMut(&[f32]) -> Result<Vec<T>, E>,
    distance: impl Fn(&T, &T) -> f64,
) -> Result<Vec<(f32, T)>, E> {
    let last = (count.saturating_sub(1) * TRIED).max(1);
    let places: Vec<f32> = (0..=last).map(|at| at as f32 / last as f32).collect();
    let mut tried: Vec<(f32, T)> = places.iter().copied().zip(make(&places)?).collect();
    let far = distance(&tried[0].1, &tried[last].1) / (2 * count.saturating_sub(1).max(1)) as f64;
    for _ in 0..HALVINGS {
        let wide = tried.windows(2).filter(|pair| distance(&pair[0].1, &pair[1].1) > far);
        let places: Vec<f32> = wide.map(|pair| (pair[0].0 + pair[1].0) / 2.0).take(last).collect();
        if places.is_empty() {
            break;
        }
        tried.extend(places.iter().copied().zip(make(&places)?));
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut chosen = least_jumps(tried.len(), count, |a, b| distance(&tried[a].1, &tried[b].1)).into_iter().peekable();
    let kept = tried.into_iter().enumerate().filter(|(at, _)| chosen.next_if_eq(at).is_some());
    Ok(kept.map(|(_, found)| found).collect())
}

/// `count` of `all` places, rising, the first and the last among them, with the smallest largest step; of those that are alike in this, one
/// with a small sum of squared steps.
fn least_jumps(all: usize, count: usize, distance: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let steps = count.saturating_sub(1).clamp(1, all - 1);
    let apart: Vec<Vec<f64>> = (0..all).map(|to| (0..to).map(|from| distance(from, to)).collect()).collect();
    // For each place the largest step and the sum of squares of the best way there so far, and for each step where it came from.
    let mut best: Vec<Option<(f64, f64)>> = vec![None; all];
    best[0] = Some((0.0, 0.0));
    let mut origins: Vec<Vec<usize>> = Vec::with_capacity(steps);
    for _ in 0..steps {
        let (mut next, mut from) = (vec![None; all], vec![0; all]);
        for to in 1..all {
            for (at, step) in apart[to].iter().enumerate() {
                let Some((largest, squares)) = best[at] else { continue };
                let cost = (f64::max(largest, *step), squares + step * step);
                if next[to].is_none_or(|known| cost < known) {
                    (next[to], from[to]) = (Some(cost), at);
                }
            }
        }
        best = next;
        origins.push(from);
    }
    let mut way = vec![all - 1];
    for from in origins.iter().rev() {
        way.push(from[way[way.len() - 1]]);
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: usize, shape: impl Fn(f32) -> f32) -> Vec<f32> {
        let make = |places: &[f32]| Ok::<_, ()>(places.iter().map(|t| shape(*t)).collect());
        let way = spaced(count, make, |a: &f32, b: &f32| f64::from((a - b).abs())).expect("a way");
        assert_eq!((way.len(), way[0].0, way[count - 1].0), (count, 0.0, 1.0));
        assert!(way.windows(2).all(|pair| pair[0].0 < pair[1].0));
        way.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).collect()
    }

    #[test]
    fn a_way_that_is_even_stays_so() {
        for count in [2, 3, 9, 40] {
            let even = 1.0 / (count - 1) as f32;
            assert!(steps(count, |t| t).iter().all(|step| (step - even).abs() < 1e-4), "{count}");
        }
    }

    #[test]
    fn what_happens_all_at_once_is_divided_too() {
        // Nearly everything changes within a hundredth of the way.
        let steps = steps(9, |t| 1.0 / (1.0 + (-(t - 0.5) * 1000.0).exp()));
        assert!(steps.iter().all(|step| *step < 0.2), "{steps:?}");
    }

    #[test]
    fn a_jump_that_cannot_be_divided_is_one_step() {
        let steps = steps(5, |t| if t < 0.3 { 0.0 } else { 1.0 });
        assert_eq!(steps.iter().filter(|step| **step > 0.0).count(), 1);
    }
}
