//! Space to depth and back, in the channel order of ONNX's SpaceToDepth and DepthToSpace (mode DCR): channel
//! `(by * s + bx) * C + c` of the small plane holds pixel `(by, bx)` of each `s` x `s` square of channel `c`.

/// `[C, H, W] -> [s * s * C, H / s, W / s]`; `height` and `width` are multiples of `s`.
pub fn space_to_depth(planes: &[f32], channels: usize, height: usize, width: usize, s: usize) -> Vec<f32> {
    let mut depth = vec![0.0; planes.len()];
    for_each_pair(channels, height, width, s, |space, deep| depth[deep] = planes[space]);
    depth
}

/// `[s * s * C, H / s, W / s] -> [C, H, W]`: the inverse of [`space_to_depth`].
pub fn depth_to_space(depth: &[f32], channels: usize, height: usize, width: usize, s: usize) -> Vec<f32> {
    let mut planes = vec![0.0; depth.len()];
    for_each_pair(channels, height, width, s, |space, deep| planes[space] = depth[deep]);
    planes
}

fn for_each_pair(channels: usize, height: usize, width: usize, s: usize, mut pair: impl FnMut(usize, usize)) {
    assert!(height.is_multiple_of(s) && width.is_multiple_of(s), "{width}x{height} is no multiple of {s}");
    let (small_h, small_w) = (height / s, width / s);
    for c in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let deep = ((y % s * s + x % s) * channels + c) * small_h * small_w + y / s * small_w + x / s;
                pair((c * height + y) * width + x, deep);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_order_is_that_of_onnx() {
        // ONNX's example of SpaceToDepth: one channel, block size 2.
        let planes: Vec<f32> = (0..8).map(|v| v as f32).collect();
        let depth = space_to_depth(&planes, 1, 2, 4, 2);
        assert_eq!(depth, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        assert_eq!(depth_to_space(&depth, 1, 2, 4, 2), planes);
    }
}
