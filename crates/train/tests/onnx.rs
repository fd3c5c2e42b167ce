//! What is written as ONNX is what was trained: burn and tract agree, and weights come back as they were.

use burn::module::Module;
use burn::tensor::Device;
use latentd::model::{Golden, Kernel, Model, Place, Role, Training, verify};
use latentd_train::layers::Init;
use latentd_train::onnx::Weights;
use latentd_train::publish::{Publication, TOLERANCE};
use latentd_train::recipes::denoise_photo::{self, DenoisePhoto, Noise};
use latentd_train::recipes::upscale_photo::{self, Input, UpscalePhoto};
use latentd_train::recipes::{Frame, PhotoRecipe, Recipe};

fn denoiser(widths: &[usize], blocks: &[usize]) -> DenoisePhoto {
    let shape = denoise_photo::Shape { widths: widths.to_vec(), blocks: blocks.to_vec() };
    DenoisePhoto { noise: Noise::White, shape, training: Vec::new(), development: Vec::new(), batch: 1, patch: 32 }
}

fn upscaler(scale: usize) -> UpscalePhoto {
    let shape = upscale_photo::Shape { scale, width: 16, blocks: 2 };
    UpscalePhoto { input: Input::Clean, shape, training: Vec::new(), development: Vec::new(), batch: 1, patch: 16 }
}

fn provenance() -> Training {
    Training {
        recipe: "a test".to_owned(),
        data: Vec::new(),
        seed: 1,
        steps: 0,
        hours: 0.0,
        burn: String::new(),
        commit: String::new(),
        init: None,
    }
}

fn publish<R: PhotoRecipe>(recipe: &R, seed: u64) -> (R::Network, Publication) {
    let device = Device::flex();
    let network = recipe.network(&mut Init::new(seed, &device));
    let model =
        Publication::new(recipe, &network, "a-test", provenance(), None, &device).expect("burn and tract agree");
    (network, model)
}

/// Compares burn and tract at sizes that the golden file does not have.
fn agree<R: PhotoRecipe>(recipe: &R, sizes: &[[usize; 2]]) {
    let (network, publication) = publish(recipe, 5);
    let card = publication.card.clone();
    let model = Model::new(card.clone(), &publication.onnx, Place::Memory).expect("a model");
    for &[height, width] in sizes {
        let planes: Vec<f32> = (0..3 * height * width).map(|i| (i * 7919 % 251) as f32 / 250.0).collect();
        let frame = Frame { planes, height, width };
        let output = recipe.infer(&network, &frame, 0.1, &Device::flex());
        let mut golden = Golden::default();
        for port in &card.inputs {
            let tensor = match port.role() {
                Role::Image => (vec![1, 3, height, width], frame.planes.clone()),
                Role::Sigma => (vec![1, 1, 1, 1], vec![0.1]),
            };
            golden.0.insert(port.name.clone(), tensor);
        }
        golden.0.insert("output".to_owned(), (vec![1, 3, height * card.scale, width * card.scale], output));
        for &kernel in Kernel::ALL {
            let difference = verify(&model, &golden, kernel).expect("tract runs it");
            assert!(difference < TOLERANCE, "{height}x{width} by {}: {difference}", kernel.name());
        }
    }
}

#[test]
fn denoisers_run_in_tract_as_in_burn() {
    agree(&denoiser(&[16], &[1]), &[[2, 4], [6, 10]]);
    agree(&denoiser(&[16, 24], &[0, 1]), &[[4, 4], [12, 20]]);
    agree(&denoiser(&[16, 24, 32], &[1, 1, 2]), &[[8, 8], [24, 40], [88, 56]]);
}

#[test]
fn a_denoiser_that_is_not_told_the_level_takes_the_picture_alone() {
    let recipe = DenoisePhoto { noise: Noise::Camera, ..denoiser(&[16, 24], &[1, 1]) };
    let (_, model) = publish(&recipe, 2);
    assert_eq!(model.card.inputs.len(), 1);
    agree(&recipe, &[[8, 8], [24, 40]]);
}

#[test]
fn upscalers_run_in_tract_as_in_burn() {
    for scale in [2, 3, 4] {
        agree(&upscaler(scale), &[[1, 1], [7, 5], [33, 20]]);
    }
}

#[test]
fn cards_tell_what_the_architecture_implies() {
    let (_, model) = publish(&denoiser(&[32, 64, 96], &[1, 1, 2]), 1);
    assert_eq!((model.card.multiple_of, model.card.receptive_field, model.card.scale), (8, 67, 1));
    let size = model.card.size.expect("a size");
    assert_eq!(size.parameters, 589_644);
    let multiply_adds = size.multiply_adds_per_pixel.expect("for pictures");
    assert!((26_000..28_000).contains(&multiply_adds), "{multiply_adds}");

    let (_, model) = publish(&upscaler(3), 1);
    assert_eq!((model.card.multiple_of, model.card.receptive_field, model.card.scale), (1, 6, 3));
}

/// All weights of a network, in the order of its record.
fn bytes<M: Module>(network: M) -> Vec<u8> {
    struct Values(Vec<u8>);
    impl burn::module::ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<burn::tensor::Tensor<D>>) {
            self.0.extend_from_slice(param.val().into_data().as_bytes());
        }
    }
    let mut values = Values(Vec::new());
    network.visit(&mut values);
    values.0
}

#[test]
fn weights_come_back_exactly() {
    let recipe = denoiser(&[16, 24], &[1, 1]);
    let (network, model) = publish(&recipe, 3);
    let other = recipe.network(&mut Init::new(4, &Device::flex().autodiff()));
    assert_ne!(bytes(other.clone()), bytes(network.clone()));
    let (loaded, report) = Weights::decode(&model.onnx).expect("weights").load_into(other);
    assert!(report.left.is_empty() && report.unused.is_empty(), "{report:?}");
    assert_eq!(bytes(loaded), bytes(network));
}

#[test]
fn a_last_layer_for_another_scale_is_left_and_told() {
    let (_, model) = publish(&upscaler(2), 3);
    let larger = upscaler(4).network(&mut Init::new(4, &Device::flex()));
    let (_, report) = Weights::decode(&model.onnx).expect("weights").load_into(larger);
    assert_eq!((report.copied, report.widened, report.left.len()), (10, 0, 2), "{report:?}");
    assert!(report.left.iter().all(|what| what.starts_with("tail.")), "{report:?}");
    assert!(Weights::decode(b"not a model").is_err());
}

/// A wider network that begins with a narrow one's weights computes the same, give or take the new residual channels.
#[test]
fn a_wider_network_begins_where_the_narrow_one_ended() {
    let (narrow, wide) = (denoiser(&[16, 24], &[1, 1]), denoiser(&[24, 40], &[1, 1]));
    let (network, model) = publish(&narrow, 3);
    let other = wide.network(&mut Init::new(4, &Device::flex()));
    let (widened, report) = Weights::decode(&model.onnx).expect("weights").load_into(other);
    assert!(report.left.is_empty() && report.unused.is_empty() && report.widened > 10, "{report:?}");
    let planes: Vec<f32> = (0..3 * 24 * 16).map(|i| (i * 7919 % 251) as f32 / 250.0).collect();
    let frame = Frame { planes, height: 24, width: 16 };
    let expected = narrow.infer(&network, &frame, 0.1, &Device::flex());
    let found = wide.infer(&widened, &frame, 0.1, &Device::flex());
    let worst = expected.iter().zip(&found).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst < 1e-5, "{worst}");
}
