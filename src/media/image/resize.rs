//! Classical resizing. Colours are resized as they are stored, in gamma space, as nearly every program does; opacity is taken
//! into account by multiplying the colours with it on the way, so that invisible ones do not bleed.

use super::{Depth, Image, Layout, Samples};
use crate::error::{Error, Kind, Result};
use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::{InnerPixel, U8, U8x2, U8x3, U8x4, U16, U16x2, U16x3, U16x4};
use fir::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// The kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    /// Lanczos with three lobes: sharpest, with faint ringing at hard edges.
    #[default]
    Lanczos3,
    /// Catmull-Rom: a little softer, with less ringing.
    CatmullRom,
}

/// `image` at `width` x `height` pixels by [`Filter::Lanczos3`], held at the same depth.
///
/// # Errors
///
/// See [`resize_with`].
pub fn resize(image: &Image, width: usize, height: usize) -> Result<Image> {
    resize_with(image, width, height, Filter::Lanczos3)
}

/// `image` at `width` x `height` pixels by `filter`, held at the same depth.
///
/// # Errors
///
/// [`Kind::Bug`] if a side is 0 or more than 2^32 - 1, or the samples do not match the image's size.
pub fn resize_with(image: &Image, width: usize, height: usize, filter: Filter) -> Result<Image> {
    let samples = match &image.samples {
        Samples::U8(samples) => Samples::U8(match image.layout {
            Layout::Gray => typed::<U8, _>(samples, image, width, height, filter)?,
            Layout::GrayAlpha => typed::<U8x2, _>(samples, image, width, height, filter)?,
            Layout::Rgb => typed::<U8x3, _>(samples, image, width, height, filter)?,
            Layout::Rgba => typed::<U8x4, _>(samples, image, width, height, filter)?,
        }),
        Samples::U16(samples) => Samples::U16(match image.layout {
            Layout::Gray => typed::<U16, _>(samples, image, width, height, filter)?,
            Layout::GrayAlpha => typed::<U16x2, _>(samples, image, width, height, filter)?,
            Layout::Rgb => typed::<U16x3, _>(samples, image, width, height, filter)?,
            Layout::Rgba => typed::<U16x4, _>(samples, image, width, height, filter)?,
        }),
    };
    Ok(Image { width, height, samples, metadata: image.metadata.clone(), ..*image })
}

/// Gives `target` the opacity of `source`, resized to its size by Lanczos: for stages whose model makes the colours. Pictures
/// without opacity are left alone.
///
/// # Errors
///
/// See [`resize_with`].
pub fn resize_alpha(source: &Image, target: &mut Image) -> Result<()> {
    if !source.layout.has_alpha() || !target.layout.has_alpha() {
        return Ok(());
    }
    let depth = target.samples.depth();
    let plane = resize(&alpha_plane(source).to_depth(depth), target.width, target.height)?;
    let stride = target.layout.channels();
    match (&mut target.samples, plane.samples) {
        (Samples::U8(target), Samples::U8(plane)) => put_alpha(target, plane, stride),
        (Samples::U16(target), Samples::U16(plane)) => put_alpha(target, plane, stride),
        _ => {}
    }
    Ok(())
}

/// The opacity of `image` as a gray picture.
fn alpha_plane(image: &Image) -> Image {
    fn last<T: Copy>(samples: &[T], stride: usize) -> Vec<T> {
        samples[stride - 1..].iter().step_by(stride).copied().collect()
    }
    let stride = image.layout.channels();
    let samples = match &image.samples {
        Samples::U8(samples) => Samples::U8(last(samples, stride)),
        Samples::U16(samples) => Samples::U16(last(samples, stride)),
    };
    Image { layout: Layout::Gray, samples, depth: Depth::Eight, metadata: Default::default(), ..*image }
}

fn put_alpha<T>(target: &mut [T], plane: Vec<T>, stride: usize) {
    for (sample, alpha) in target[stride - 1..].iter_mut().step_by(stride).zip(plane) {
        *sample = alpha;
    }
}

fn typed<P, T>(samples: &[T], image: &Image, width: usize, height: usize, filter: Filter) -> Result<Vec<T>>
where
    P: PixelTrait + InnerPixel,
    T: bytemuck::Pod,
{
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(
            Kind::Bug,
            format!("cannot resize {} x {} to {width} x {height}: {error}", image.width, image.height),
        )
    };
    let side = |n: usize| u32::try_from(n).ok().filter(|n| *n > 0).ok_or_else(|| failed(&"a side is out of range"));
    let bytes: &[u8] = bytemuck::cast_slice(samples);
    let source =
        TypedImageRef::<P>::from_buffer(side(image.width)?, side(image.height)?, bytes).map_err(|e| failed(&e))?;
    let mut out = vec![T::zeroed(); width * height * image.layout.channels()];
    let mut target = TypedImage::<P>::from_buffer(side(width)?, side(height)?, bytemuck::cast_slice_mut(&mut out))
        .map_err(|e| failed(&e))?;
    let filter = match filter {
        Filter::Lanczos3 => FilterType::Lanczos3,
        Filter::CatmullRom => FilterType::CatmullRom,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(image.layout.has_alpha());
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| failed(&e))?;
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat() {
        for layout in [Layout::Gray, Layout::GrayAlpha, Layout::Rgb, Layout::Rgba] {
            for depth in [Depth::Eight, Depth::Sixteen] {
                let mut image = Image::new(5, 7, layout, depth);
                match &mut image.samples {
                    Samples::U8(s) => s.fill(200),
                    Samples::U16(s) => s.fill(51_400),
                }
                for (width, height) in [(1, 1), (10, 14), (3, 20)] {
                    let resized = resize(&image, width, height).unwrap();
                    assert_eq!((resized.width, resized.height), (width, height));
                    assert_eq!(resized.samples.len(), width * height * layout.channels());
                    match &resized.samples {
                        Samples::U8(s) => assert!(s.iter().all(|v| v.abs_diff(200) <= 1), "{layout:?} {s:?}"),
                        Samples::U16(s) => assert!(s.iter().all(|v| v.abs_diff(51_400) <= 2), "{layout:?} {s:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn invisible_colours_do_not_bleed() {
        let mut image = Image::new(2, 1, Layout::Rgba, Depth::Eight);
        image.samples = Samples::U8(vec![200, 100, 50, 255, 0, 255, 0, 0]);
        let Samples::U8(one) = resize(&image, 1, 1).unwrap().samples else { panic!() };
        assert!(one[0].abs_diff(200) <= 2 && one[1].abs_diff(100) <= 2 && one[2].abs_diff(50) <= 2, "{one:?}");
    }

    #[test]
    fn opacity_alone() {
        let mut source = Image::new(1, 1, Layout::GrayAlpha, Depth::Eight);
        source.samples = Samples::U8(vec![9, 77]);
        let mut target = Image::new(2, 2, Layout::Rgba, Depth::Sixteen);
        resize_alpha(&source, &mut target).unwrap();
        let Samples::U16(samples) = &target.samples else { panic!() };
        assert!(samples.chunks(4).all(|p| p == [0, 0, 0, 77 * 257]));
    }
}
