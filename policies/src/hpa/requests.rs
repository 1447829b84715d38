//! What a pod requests of a resource: the base of a utilisation.

/// A container, as far as requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// Its name.
    pub name: &'a str,
    /// It runs beside the others all the time; false for an init container that ends before they start.
    pub stays: bool,
    /// What it requests of the resource, in thousandths; `None` if it requests none.
    pub request_milli: Option<i64>,
}

/// A request that cannot be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A container that counts has no request.
    #[error("a container has no request")]
    NoRequest,
    /// There is no container of the name that was asked for.
    #[error("no container of that name")]
    NoContainer,
}

/// What a pod requests: the request of the pod itself if it has one, else the sum over the containers that
/// stay; with `only`, of that container.
///
/// # Errors
/// When a container that counts requests nothing, or the named one does not exist.
pub fn pod_request(
    containers: &[Container<'_>],
    of_pod: Option<i64>,
    only: Option<&str>,
) -> Result<i64, RequestError> {
    if let Some(only) = only {
        let named = containers.iter().find(|container| container.name == only);
        let named = named.ok_or(RequestError::NoContainer)?;
        return named.request_milli.ok_or(RequestError::NoRequest);
    }
    if let Some(request) = of_pod {
        return Ok(request);
    }
    let staying = containers.iter().filter(|container| container.stays);
    staying.map(|container| container.request_milli.ok_or(RequestError::NoRequest)).sum()
}
