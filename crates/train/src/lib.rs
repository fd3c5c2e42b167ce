//! The offline trainer of latentd: trains the models with burn and publishes them as ONNX.

pub mod bench;
pub mod cli;
pub mod data;
pub mod device;
pub mod layers;
pub mod measure;
pub mod onnx;
pub mod ops;
pub mod publish;
pub mod recipes;
pub mod run;
