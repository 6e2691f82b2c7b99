//! What is detected of the process and its surroundings, as attributes of the resource.

use opentelemetry::KeyValue;
use opentelemetry_resource_detectors::{
    ContainerResourceDetector, HostResourceDetector, K8sResourceDetector, OsResourceDetector,
    ProcessResourceDetector, ServiceInstanceIdResourceDetector,
};
use opentelemetry_sdk::resource::ResourceDetector;
use opentelemetry_semantic_conventions::attribute as semconv;

/// Set in every container of Kubernetes.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

/// The attributes of host, operating system, process, container, Kubernetes and service instance.
///
/// Arguments of the process are left out, as they may hold secrets. Of Kubernetes nothing is
/// detected elsewhere: its detector takes any `HOSTNAME` for the name of a pod.
pub(crate) fn detected() -> Vec<KeyValue> {
    let kubernetes = std::env::var_os(KUBERNETES).map(|_| &K8sResourceDetector as &dyn ResourceDetector);
    let host = HostResourceDetector::default();
    let everywhere: [&dyn ResourceDetector; 5] = [
        &ServiceInstanceIdResourceDetector,
        &host,
        &OsResourceDetector,
        &ProcessResourceDetector,
        &ContainerResourceDetector,
    ];
    let mut attributes = Vec::new();
    for detector in everywhere.into_iter().chain(kubernetes) {
        let resource = detector.detect();
        let found = resource.iter().filter(|(key, _)| key.as_str() != semconv::PROCESS_COMMAND_ARGS);
        attributes.extend(found.map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
    }
    let program = std::env::current_exe().ok();
    if let Some(name) = program.as_deref().and_then(|path| path.file_name()) {
        let name = name.to_string_lossy().into_owned();
        attributes.push(KeyValue::new(semconv::PROCESS_EXECUTABLE_NAME, name));
    }
    attributes
}
