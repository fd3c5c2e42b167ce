//! Places on a way, so that each step along it is about as large as the others in what is heard or seen.

/// Places that are tried for each step, equally far apart on the way itself.
const TRIED: usize = 8;

/// Places that are tried for each step where the thing at the end grows into the one at the beginning.
const MIXED: usize = 4;

/// Places that are tried in all, at most: each is compared with each other.
const MOST: usize = 600;

/// No step of a walk in nine steps or more takes more than this share of the whole.
pub const LARGEST: f64 = 1.0 / 3.0;

/// How often the gaps are halved over which more than half of an even step happens.
const HALVINGS: usize = 8;

/// Steps by which a way is judged where fewer are asked for: how few they are says nothing of where it leads.
const JUDGED: usize = 8;

/// [`spaced_by`] for one way alone.
///
/// # Errors
/// As for `at` and `mixed`.
pub fn spaced<T, E>(
    count: usize,
    mut at: impl FnMut(&[f32]) -> Result<Vec<T>, E>,
    mixed: impl FnOnce(&[f32]) -> Result<Vec<T>, E>,
    distance: impl Fn(&T, &T) -> f64,
) -> Result<Vec<T>, E> {
    spaced_by(count, &[()], |(), shares| at(shares), mixed, distance)
}

/// `count` things along the first of `ways` that is straight enough. `at` makes what lies on a way at shares of it, 0..=1, both ends among them, and
/// those of all that were tried are taken between which the largest `distance` is as small as can be. Where much changes at once, places are tried
/// closer together. Straight enough is a way on which, in 8 steps or as many as are asked for if these are more, no step is above [`LARGEST`]. If none
/// is, because what lies between two that are alike is unlike both, the one grows into the other from its beginning on: `mixed` makes what is the end
/// up to shares of its length, 0..=1, and then the beginning.
///
/// # Errors
/// As for `at` and `mixed`.
pub fn spaced_by<W: Copy, T, E>(
    count: usize,
    ways: &[W],
    mut at: impl FnMut(W, &[f32]) -> Result<Vec<T>, E>,
    mixed: impl FnOnce(&[f32]) -> Result<Vec<T>, E>,
    distance: impl Fn(&T, &T) -> f64,
) -> Result<Vec<T>, E> {
    if let Some(way) = ways.first().filter(|_| count <= 2) {
        return at(*way, &[0.0, 1.0]);
    }
    let steps = count.saturating_sub(1).max(JUDGED);
    let mut best: Option<(f64, Vec<T>)> = None;
    for way in ways {
        let tried = tried(steps, |shares| at(*way, shares), &distance)?;
        let whole = distance(&tried[0], &tried[tried.len() - 1]);
        let (largest, taken) = chosen(tried, count, &distance);
        if largest <= whole * LARGEST {
            return Ok(taken);
        }
        if best.as_ref().is_none_or(|(least, _)| largest < *least) {
            best = Some((largest, taken));
        }
    }
    let (largest, grown) = chosen(mixed(&even(steps * MIXED))?, count, &distance);
    Ok(match best {
        Some((least, taken)) if least <= largest => taken,
        _ => grown,
    })
}

/// Shares of a way, 0..=1, `last` gaps between them.
fn even(last: usize) -> Vec<f32> {
    (0..=last).map(|at| at as f32 / last as f32).collect()
}

/// What lies on a way at all places that are tried for so many steps, in its order.
fn tried<T, E>(
    steps: usize,
    mut at: impl FnMut(&[f32]) -> Result<Vec<T>, E>,
    distance: impl Fn(&T, &T) -> f64,
) -> Result<Vec<T>, E> {
    let last = steps * (MOST / steps).clamp(1, TRIED);
    let mut tried: Vec<(f32, T)> = even(last).into_iter().zip(at(&even(last))?).collect();
    let far = distance(&tried[0].1, &tried[last].1) / (2 * steps) as f64;
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
    Ok(tried.into_iter().map(|(_, made)| made).collect())
}

/// Those `count` of `all` that [`least_jumps`] finds, and before them the largest step there is by which the way is judged.
fn chosen<T>(all: Vec<T>, count: usize, distance: impl Fn(&T, &T) -> f64) -> (f64, Vec<T>) {
    let row = |to: usize| (0..to).map(|from| distance(&all[from], &all[to])).collect();
    let apart: Vec<Vec<f64>> = (0..all.len()).map(row).collect();
    let judged = least_jumps(&apart, count.max(JUDGED + 1));
    let largest = judged.windows(2).map(|pair| apart[pair[1]][pair[0]]).fold(0.0, f64::max);
    let mut places = least_jumps(&apart, count).into_iter().peekable();
    let taken = all.into_iter().enumerate().filter(|(at, _)| places.next_if_eq(at).is_some());
    (largest, taken.map(|(_, made)| made).collect())
}

/// `count` places, rising, the first and the last among them, with the smallest largest step; of those that are alike in this, one
/// with a small sum of squared steps. `apart` tells for each place how far it is from each before it.
fn least_jumps(apart: &[Vec<f64>], count: usize) -> Vec<usize> {
    let all = apart.len();
    let steps = count.saturating_sub(1).clamp(1, all - 1);
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
            for count in [3, 5, 9] {
                let even = 1.0 / (count - 1) as f32;
                let steps = steps(count, shape, <[f32]>::to_vec);
                assert!(steps.iter().all(|step| (step - even).abs() < 1e-6), "{count}: {steps:?}");
            }
        }
    }

    /// What goes out of its way by `detour`, and back, while it goes from 0 to 1.
    fn bent(detour: f32, shares: &[f32]) -> Result<Vec<[f32; 2]>, ()> {
        Ok(shares.iter().map(|t| [*t, detour * (1.0 - (2.0 * t - 1.0).abs())]).collect())
    }

    fn apart(a: &[f32; 2], b: &[f32; 2]) -> f64 {
        f64::from((a[0] - b[0]).abs() + (a[1] - b[1]).abs())
    }

    /// A quarter of a way that is somewhat longer than straight is more than a third of straight: in five steps, one grew into the other.
    #[test]
    fn a_way_leads_over_the_same_places_in_few_steps_as_in_many() {
        for count in [3, 4, 5, 6, 7, 8, 9, 12] {
            let way = spaced(count, |shares| bent(0.4, shares), |_| unreachable!("it is straight enough"), apart);
            let way = way.expect("a way");
            let even = 1.8 / (count - 1) as f64;
            assert_eq!(way.len(), count);
            assert!(way[1..count - 1].iter().all(|place| place[1] > 0.03), "{count}: {way:?}");
            assert!(way.windows(2).all(|pair| apart(&pair[0], &pair[1]) < 1.3 * even), "{count}: {way:?}");
        }
    }

    #[test]
    fn the_first_way_that_is_straight_enough_is_taken() {
        for (ways, taken) in [([0.2, 0.1, 0.0], 0.2), ([4.0, 0.3, 0.0], 0.3), ([4.0, 2.0, 0.1], 0.1)] {
            let way = spaced_by(5, &ways, bent, |_| unreachable!("one is straight enough"), apart).expect("a way");
            let furthest = way.iter().map(|place| place[1]).fold(0.0, f32::max);
            assert!(furthest > 0.7 * taken && furthest <= taken, "{ways:?}: {way:?}");
        }
    }
}
