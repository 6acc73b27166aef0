//! The deploy.toml of a test.

/// What deploy.toml says beside what all of them say.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// What the server answers.
    pub(crate) version: String,
    /// Where it listens.
    pub(crate) port: u16,
    /// Keys of the container `app`.
    pub(crate) container: String,
    /// Keys of the server's image.
    pub(crate) keys: String,
    /// Further images.
    pub(crate) images: String,
    /// The image of `app`, if it is not the server.
    pub(crate) image: Option<String>,
    /// Further containers of the server's image, and their keys.
    pub(crate) beside: Vec<(String, String)>,
    /// Keys of `deployment`, after the timeout.
    pub(crate) deployment: String,
    /// Tasks.
    pub(crate) desired: u32,
}

impl File {
    /// Two tasks of one container.
    pub(crate) fn new(port: u16) -> Self {
        Self {
            version: "v1".to_owned(),
            port,
            container: String::new(),
            keys: String::new(),
            images: String::new(),
            image: None,
            beside: Vec::new(),
            deployment: String::new(),
            desired: 2,
        }
    }

    /// What the server does.
    pub(crate) fn command(&mut self, steps: &[&str]) {
        self.container = format!("command = {steps:?}");
    }

    /// One more container of the server's image.
    pub(crate) fn beside(&mut self, name: &str, keys: &str) {
        self.beside.push((name.to_owned(), keys.to_owned()));
    }

    /// The file of a service of this name.
    pub(crate) fn text(&self, name: &str) -> String {
        let Self { version, port, container, desired, keys, images, .. } = self;
        let deployment = ["timeout-minutes = 2", &self.deployment].join(", ");
        let deployment = deployment.trim_end_matches(", ");
        let image = self.image.as_deref().unwrap_or(name);
        let environment = format!("environment = {{ PORT = {port}, VERSION = \"{version}\" }}");
        let beside = self.beside.iter().map(|(other, keys)| {
            format!("[service.{name}.container.{other}]\nimage = \"{name}\"\n{environment}\nstop-timeout = 2\n{keys}\n")
        });
        let beside: String = beside.collect();
        format!(
            "region = \"eu-west-1\"\ncluster = \"{name}\"\n\
             [image.{name}]\nbin = \"tiny\"\nprofile = \"dev\"\n{keys}\n{images}\n\
             [service.{name}]\ncpu = 256\nmemory = 512\ndesired-count = {desired}\nexecution-role = \"role\"\n\
             deployment = {{ {deployment} }}\n\
             [service.{name}.security-group]\nname = \"{name}\"\ningress = [{{ port = {port}, cidr = \"0.0.0.0/0\" }}]\n\
             [service.{name}.container.app]\nimage = \"{image}\"\nport = {port}\nstop-timeout = 2\n\
             {environment}\n{container}\n{beside}"
        )
    }
}
