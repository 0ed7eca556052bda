//! Where libtorch computes, and in which numbers.

use std::sync::OnceLock;

use tch::{Cuda, Device, Kind, TchError, Tensor};

use crate::language_model::EngineError;

/// The processor, in single precision.
const CPU: &str = "libtorch-cpu";
/// The processor with the arithmetic of [`CUDA`], to check that arithmetic where there is no card.
const CPU_ROUNDED: &str = "libtorch-cpu-bf16";
/// The first graphics card; matrices in bfloat16, all that is added up over many updates or tokens in single precision.
const CUDA: &str = "libtorch-cuda";
/// The first graphics card in single precision, to compare with.
const CUDA_SINGLE: &str = "libtorch-cuda-f32";

/// What libtorch may say.
pub(super) type Attempt<T> = Result<T, TchError>;

/// Where, and in which numbers matrices are multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) device: Device,
    pub(super) kind: Kind,
}

/// The names of the engines that can start here.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names = vec![CPU, CPU_ROUNDED];
    if has_cuda() {
        names.extend([CUDA, CUDA_SINGLE]);
    }
    names
}

impl Place {
    /// The place of an engine's name, if it is one of libtorch's.
    ///
    /// # Errors
    /// If the name means a card, and there is none that can be used.
    pub(super) fn of(name: &str) -> Option<Result<Self, EngineError>> {
        let place = match name {
            CPU => Self { device: Device::Cpu, kind: Kind::Float },
            CPU_ROUNDED => Self { device: Device::Cpu, kind: Kind::BFloat16 },
            CUDA => Self { device: Device::Cuda(0), kind: Kind::BFloat16 },
            CUDA_SINGLE => Self { device: Device::Cuda(0), kind: Kind::Float },
            _ => return None,
        };
        if place.device.is_cuda() && !has_cuda() {
            let reason = "libtorch finds no graphics card".to_owned();
            return Some(Err(EngineError::Device { operation: "starting libtorch", reason }));
        }
        Some(Ok(place))
    }

    /// Numbers on the device.
    pub(super) fn numbers(self, numbers: &[f32]) -> Attempt<Tensor> {
        Tensor::f_from_slice(numbers)?.f_to_device(self.device)
    }

    /// Whole numbers on the device.
    pub(super) fn integers(self, numbers: &[i64]) -> Attempt<Tensor> {
        Tensor::f_from_slice(numbers)?.f_to_device(self.device)
    }

    /// What a matrix is multiplied with.
    pub(super) fn cast(self, tensor: &Tensor) -> Attempt<Tensor> {
        tensor.f_to_kind(self.kind)
    }
}

/// A tensor's numbers in single precision.
pub(super) fn to_host(tensor: &Tensor) -> Attempt<Vec<f32>> {
    let tensor = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut numbers = vec![0.0; tensor.numel()];
    tensor.f_copy_data(&mut numbers, tensor.numel())?;
    Ok(numbers)
}

/// What failed, and what libtorch says of it; its own trace of calls is left out.
pub(super) fn failed(operation: &'static str) -> impl FnOnce(TchError) -> EngineError {
    move |error| {
        let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
        EngineError::Device { operation, reason }
    }
}

/// Whether there is a card that libtorch can use.
fn has_cuda() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        load_cuda();
        Cuda::is_available()
    })
}

/// Loads the half of libtorch that knows graphics cards, where it is installed.
///
/// No symbol of it is used by name, so that the linker drops it; it makes itself known when it is loaded. A libtorch without
/// that half, or a machine without a driver, leaves everything as it was.
fn load_cuda() {
    let name = c"libtorch_cuda.so";
    // SAFETY: the name is a C string. The library's initialisers are those of the libtorch that this process is linked with:
    // the loader finds it by the same search path. It is never unloaded.
    #[expect(unsafe_code, reason = "a library is loaded by name")]
    unsafe {
        libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
    }
}
