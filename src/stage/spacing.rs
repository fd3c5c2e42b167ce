//! Places on a way, so that each step along it is about as large as the others in what is heard or seen.

/// Places that are tried for each step, equally far apart on the way itself.
const TRIED: usize = 8;

/// Places that are tried for each step where the thing at the end grows into the one at the beginning.
const MIXED: usize = 4;

/// Places that are tried in all, at most: each is compared with each other.
const MOST: usize = 600;

/// A step of a walk takes no more than this share of the whole.
pub const LARGEST: f64 = 1.0 / 3.0;

/// How often the gaps are halved over which more than half of an even step happens.
const HALVINGS: usize = 8;

/// `count` things along a way that `at` makes for shares of it, 0..=1, both ends among them: those of all that were tried between which the
/// largest `distance` is as small as can be. Where much changes at once, places are tried closer together. If a step is above [`LARGEST`] all the same,
/// because what lies between two that are alike is unlike both, the one grows into the other from its beginning on: `mixed` makes what is the end up to
/// shares of its length, 0..=1, and then the beginning.
///
/// # Errors
/// As for `at` and `mixed`.
pub fn spaced<T, E>(
    count: usize,
    mut at: impl FnMut(&[f32]) -> Result<Vec<T>, E>,
    mixed: impl FnOnce(&[f32]) -> Result<Vec<T>, E>,
    distance: impl Fn(&T, &T) -> f64,
) -> Result<Vec<T>, E> {
    let steps = count.saturating_sub(1).max(1);
    let last = steps * (MOST / steps).clamp(1, TRIED);
    let even = |last: usize| (0..=last).map(|at| at as f32 / last as f32).collect::<Vec<_>>();
    let mut tried: Vec<(f32, T)> = even(last).into_iter().zip(at(&even(last))?).collect();
    let whole = distance(&tried[0].1, &tried[last].1);
    let far = whole / (2 * steps) as f64;
    for _ in 0..HALVINGS {
        let wide = tried.windows(2).filter(|pair| distance(&pair[0].1, &pair[1].1) > far);
        let room = last.min(MOST.saturating_sub(tried.len()));
        let shares: Vec<f32> = wide.map(|pair| (pair[0].0 + pair[1].0) / 2.0).take(room).collect();
        if shares.is_empty() {
            break;
        }
        let made = at(&shares)?;
        tried.extend(shares.into_iter().zip(made));
        tried.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let way = chosen(tried.into_iter().map(|(_, made)| made).collect(), count, &distance);
    let largest = |way: &[T]| way.windows(2).map(|pair| distance(&pair[0], &pair[1])).fold(0.0, f64::max);
    let found = largest(&way);
    if found <= whole * LARGEST || steps as f64 * LARGEST <= 1.0 {
        return Ok(way);
    }
    let other = chosen(mixed(&even(steps * MIXED))?, count, &distance);
    Ok(if largest(&other) < found { other } else { way })
}

/// Those of `all` that [`least_jumps`] finds.
fn chosen<T>(all: Vec<T>, count: usize, distance: impl Fn(&T, &T) -> f64) -> Vec<T> {
    let mut places = least_jumps(all.len(), count, |a, b| distance(&all[a], &all[b])).into_iter().peekable();
    all.into_iter().enumerate().filter(|(at, _)| places.next_if_eq(at).is_some()).map(|(_, made)| made).collect()
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

    fn steps(count: usize, shape: impl Fn(f32) -> f32, mixed: impl FnOnce(&[f32]) -> Vec<f32>) -> Vec<f32> {
        let at = |shares: &[f32]| Ok::<_, ()>(shares.iter().copied().map(&shape).collect());
        let way = spaced(count, at, |shares| Ok(mixed(shares)), |a: &f32, b: &f32| f64::from((a - b).abs()));
        let way = way.expect("a way");
        assert_eq!((way.len(), way[0], way[count - 1]), (count, shape(0.0), shape(1.0)));
        way.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect()
    }

    /// A walk of 40 steps took ten times as long as one of 9, and a longer one longer yet.
    #[test]
    fn a_long_walk_compares_no_more_than_a_short_one() {
        // Most of it is unlike what lies beside it, however near that is.
        let shape = |t: f32| if t < 1.0 { (t * 1e4).sin() + t } else { 5.0 };
        for count in [10, 40, 100] {
            let (made, compared) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
            let at = |shares: &[f32]| {
                made.set(made.get() + shares.len());
                Ok::<_, ()>(shares.iter().copied().map(shape).collect())
            };
            let distance = |a: &f32, b: &f32| {
                compared.set(compared.get() + 1);
                f64::from((a - b).abs())
            };
            let way = spaced(count, at, |shares| Ok(shares.to_vec()), distance).expect("a way");
            assert_eq!(way.len(), count);
            assert!(made.get() <= MOST, "{count}: {}", made.get());
            assert!(compared.get() < MOST * MOST, "{count}: {}", compared.get());
        }
    }

    fn needless(_: &[f32]) -> Vec<f32> {
        unreachable!("no step is above a third")
    }

    #[test]
    fn a_way_that_is_even_stays_so() {
        for count in [2, 3, 9, 40] {
            let even = 1.0 / (count - 1) as f32;
            assert!(steps(count, |t| t, needless).iter().all(|step| (step - even).abs() < 1e-4), "{count}");
        }
    }

    #[test]
    fn what_happens_all_at_once_is_divided_too() {
        // Nearly everything changes within a hundredth of the way.
        let steps = steps(9, |t| 1.0 / (1.0 + (-(t - 0.5) * 1000.0).exp()), needless);
        assert!(steps.iter().all(|step| *step < 0.2), "{steps:?}");
    }

    #[test]
    fn where_the_way_leads_elsewhere_one_grows_into_the_other() {
        // From 0 to 1 by way of what is unlike both, or all at once.
        let astray = |t: f32| if t > 0.0 && t < 1.0 { t + 5.0 } else { t };
        for shape in [astray, |t: f32| if t < 0.3 { 0.0 } else { 1.0 }] {
            let steps = steps(9, shape, <[f32]>::to_vec);
            assert!(steps.iter().all(|step| (step - 0.125).abs() < 1e-6), "{steps:?}");
        }
    }
}
