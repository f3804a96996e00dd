//! The one place that reads `shaders/*.wgsl`.

/// Tiles of a scene; entry points `vs_tile`, `fs_raster`.
pub(crate) const RASTER: &str =
    concat!(include_str!("../../shaders/common.wgsl"), "\n", include_str!("../../shaders/raster.wgsl"));

/// The prior of a tile; entry points `vs_prior`, `fs_prior`.
pub(crate) const PRIOR: &str = include_str!("../../shaders/prior.wgsl");

/// Layers onto each other and the map onto its target; entry points `vs_screen`,
/// `fs_composite`, `fs_present`, `fs_present_linear`, `fs_straight`.
pub(crate) const COMPOSITE: &str = include_str!("../../shaders/composite.wgsl");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::CompositeUniform;
    use crate::look::{Kind, LayerUniform};
    use crate::prior::{MAX_PRIOR_BANDS, MAX_PRIOR_REFERENCES, PriorUniform};

    fn parsed(source: &str) -> naga::Module {
        let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(source)));
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::default());
        validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(source)));
        module
    }

    /// Bytes of a struct of a module, as WGSL lays it out.
    fn wgsl_size(module: &naga::Module, name: &str) -> u32 {
        let found = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).expect("struct of that name");
        match found.1.inner {
            naga::TypeInner::Struct { span, .. } => span,
            _ => panic!("{name} is not a struct"),
        }
    }

    fn constant(module: &naga::Module, name: &str) -> u32 {
        let found = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name)).expect("constant");
        match module.global_expressions[found.1.init] {
            naga::Expression::Literal(naga::Literal::U32(value)) => value,
            ref other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn shaders_are_valid_and_their_uniforms_match_the_rust_twins() {
        let (raster, prior, composite) = (parsed(RASTER), parsed(PRIOR), parsed(COMPOSITE));

        assert_eq!(wgsl_size(&raster, "Layer") as usize, size_of::<LayerUniform>());
        assert_eq!(wgsl_size(&prior, "Prior") as usize, size_of::<PriorUniform>());
        assert_eq!(wgsl_size(&raster, "PaletteEntry") as usize, size_of::<[u32; 2]>());
        assert_eq!(wgsl_size(&composite, "Composite") as usize, size_of::<CompositeUniform>());
        for (name, kind) in
            [("KIND_RGB", Kind::Rgb), ("KIND_COLORMAP", Kind::Colormap), ("KIND_CLASSES", Kind::Classes)]
        {
            assert_eq!(constant(&raster, name), kind as u32);
        }
        assert_eq!(constant(&prior, "MAX_BANDS") as usize, MAX_PRIOR_BANDS);
        assert_eq!(4 * constant(&prior, "MAX_QUADS") as usize, MAX_PRIOR_REFERENCES);
    }
}
