/// The Y plane (ITU-R BT.601, studio swing, as MATLAB's `rgb2ycbcr`) of planes `[3, height, width]` with values 0..1,
/// each first rounded to 8 bits, without a border of `border` pixels, which is less than half of either side.
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
