//! The largest of neighbours, and of all, with where they were: gradients go there and nowhere else.

/// The largest of each two by two points, and where it was.
pub fn larger(values: &[f32], [height, width]: [usize; 2]) -> (Vec<f32>, Vec<u32>) {
    let mut best = (Vec::new(), Vec::new());
    for plane in (0..values.len()).step_by(height * width) {
        for y in 0..height / 2 {
            for x in 0..width / 2 {
                let corner = plane + 2 * y * width + 2 * x;
                let four = [corner, corner + 1, corner + width, corner + width + 1];
                let at = four.into_iter().fold(corner, |best, at| if values[at] > values[best] { at } else { best });
                best.0.push(values[at]);
                best.1.push(at as u32);
            }
        }
    }
    best
}

/// Where the largest value of each channel is, and what it is.
pub fn largest(values: &[f32], channels: usize) -> Vec<(usize, f32)> {
    let points = values.len() / channels;
    let most = |channel: usize| {
        let first = channel * points;
        let at = (first..first + points).fold(first, |best, at| if values[at] > values[best] { at } else { best });
        (at, values[at])
    };
    (0..channels).map(most).collect()
}
