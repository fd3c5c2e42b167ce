//! Our operations give what burn's own give, forward and backward.

use burn::tensor::{Device, Tensor};
use latentd_train::layers::Init;
use latentd_train::ops::{self, Sweep, plain};

/// Largest difference over the largest value.
fn relative<const D: usize>(ours: &Tensor<D>, burns: &Tensor<D>) -> f32 {
    let largest = burns.clone().abs().max().into_scalar::<f32>();
    (ours.clone() - burns.clone()).abs().max().into_scalar::<f32>() / largest
}

#[test]
fn convolutions_and_their_gradients_equal_burns() {
    let device = Device::flex().autodiff();
    // (channels in, out, height, width, kernel, stride, padding)
    let cases = [(3, 32, 17, 19, 3, 1, 1), (32, 48, 16, 24, 3, 1, 1), (12, 8, 10, 14, 2, 2, 0), (5, 7, 9, 9, 1, 1, 0)];
    for (seed, (channels_in, channels_out, height, width, kernel, stride, padding)) in cases.into_iter().enumerate() {
        for relu in [false, true] {
            let mut init = Init::new(seed as u64, &device);
            let x = init.normal([3, channels_in, height, width], 1.0).val();
            let weight = init.normal([channels_out, channels_in, kernel, kernel], 0.3).val();
            let bias = init.normal([channels_out], 1.0).val();
            let sweep = Sweep { stride, padding, relu };
            let ours = ops::conv2d(x.clone(), weight.clone(), bias.clone(), sweep);
            let burns = plain::conv2d(x.clone(), weight.clone(), bias.clone(), sweep);
            assert!(relative(&ours, &burns) < 1e-5);

            let pull = init.normal(ours.dims(), 1.0).val();
            let ours = (ours * pull.clone()).sum().backward();
            let burns = (burns * pull).sum().backward();
            let gradient = |of: &Tensor<4>| relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's"));
            assert!(gradient(&x) < 1e-4 && gradient(&weight) < 1e-4);
            assert!(relative(&bias.grad(&ours).expect("ours"), &bias.grad(&burns).expect("burn's")) < 1e-4);
        }
    }
}

#[test]
fn a_residual_gets_its_gradient() {
    let device = Device::flex().autodiff();
    for relu in [false, true] {
        let mut init = Init::new(7, &device);
        let x = init.normal([2, 16, 12, 10], 1.0).val();
        let residual = init.normal([2, 16, 12, 10], 1.0).val();
        let weight = init.normal([16, 16, 3, 3], 0.3).val();
        let bias = init.normal([16], 1.0).val();
        let sweep = Sweep { stride: 1, padding: 1, relu };
        let ours = ops::conv2d_residual(x.clone(), weight.clone(), bias.clone(), residual.clone(), sweep);
        let burns = plain::conv2d_residual(x.clone(), weight.clone(), bias.clone(), residual.clone(), sweep);
        assert!(relative(&ours, &burns) < 1e-5);
        let (ours, burns) = (ours.square().sum().backward(), burns.square().sum().backward());
        for of in [&x, &residual, &weight] {
            assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's")) < 1e-4);
        }
    }
}

#[test]
fn transposed_convolutions_and_their_gradients_equal_burns() {
    let device = Device::flex().autodiff();
    let mut init = Init::new(3, &device);
    let x = init.normal([3, 24, 7, 9], 1.0).val();
    let weight = init.normal([24, 10, 2, 2], 0.3).val();
    let bias = init.normal([10], 1.0).val();
    let ours = ops::conv_transpose2x2(x.clone(), weight.clone(), bias.clone());
    let burns = plain::conv_transpose2x2(x.clone(), weight.clone(), bias.clone());
    assert!(relative(&ours, &burns) < 1e-5);
    let (ours, burns) = (ours.square().sum().backward(), burns.square().sum().backward());
    for of in [&x, &weight] {
        assert!(relative(&of.grad(&ours).expect("ours"), &of.grad(&burns).expect("burn's")) < 1e-4);
    }
    assert!(relative(&bias.grad(&ours).expect("ours"), &bias.grad(&burns).expect("burn's")) < 1e-4);
}
