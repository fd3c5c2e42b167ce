/// Peak signal-to-noise ratio in dB of two pictures (or planes) with values 0..1.
pub fn psnr(a: &[f32], b: &[f32]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    -10.0 * (squares / a.len() as f64).max(1e-12).log10()
}

/// The Y plane (ITU-R BT.601, studio swing, as MATLAB's `rgb2ycbcr`) of planes `[3, height, width]` with values 0..1,
/// each first rounded to 8 bits, without a border of `border` pixels.
pub fn luma(planes: &[f32], height: usize, width: usize, border: usize) -> Vec<f32> {
    let plane = height * width;
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() / 255.0;
    let mut out = Vec::with_capacity((height - 2 * border) * (width - 2 * border));
    for y in border..height - border {
        for x in border..width - border {
            let at = y * width + x;
            let [r, g, b] = [0, 1, 2].map(|c| byte(planes[c * plane + at]));
            out.push((65.481 * r + 128.553 * g + 24.966 * b + 16.0) / 255.0);
        }
    }
    out
}

/// Mean structural similarity of planes `[channels, height, width]` of 0..1 (Wang et al. 2004, "Image quality
/// assessment"): a Gaussian window of 11x11 and deviation 1.5, only where it fits.
pub fn ssim(a: &[f32], b: &[f32], height: usize, width: usize) -> f64 {
    let planes = a.chunks(height * width).zip(b.chunks(height * width));
    let scores: Vec<f64> = planes.map(|(a, b)| ssim_plane(a, b, height, width)).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}

const WINDOW: usize = 11;

fn ssim_plane(a: &[f32], b: &[f32], height: usize, width: usize) -> f64 {
    const C1: f64 = 0.01 * 0.01;
    const C2: f64 = 0.03 * 0.03;
    let product =
        |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).collect::<Vec<_>>();
    let wide = |x: &[f32]| x.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let smooth = |plane: Vec<f64>| blur(&plane, height, width);
    let (mean_a, mean_b) = (smooth(wide(a)), smooth(wide(b)));
    let (square_a, square_b, both) = (smooth(product(a, a)), smooth(product(b, b)), smooth(product(a, b)));
    let score = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, cov) = (square_a[i] - ma * ma, square_b[i] - mb * mb, both[i] - ma * mb);
        (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
    };
    (0..mean_a.len()).map(score).sum::<f64>() / mean_a.len() as f64
}

/// A plane weighted by the window around each point where the window fits.
fn blur(plane: &[f64], height: usize, width: usize) -> Vec<f64> {
    let weights: [f64; WINDOW] = std::array::from_fn(|i| (-((i as f64 - 5.0).powi(2)) / (2.0 * 1.5 * 1.5)).exp());
    let sum: f64 = weights.iter().sum();
    let across = |row: &[f64]| {
        let sums = row.windows(WINDOW).map(|part| part.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / sum);
        sums.collect::<Vec<_>>()
    };
    let rows: Vec<Vec<f64>> = plane.chunks(width).map(across).collect();
    let down = |y: usize| {
        let columns = 0..width + 1 - WINDOW;
        let rows = &rows;
        columns.map(move |x| (0..WINDOW).map(|k| rows[y + k][x] * weights[k]).sum::<f64>() / sum)
    };
    (0..height + 1 - WINDOW).flat_map(down).collect()
}
