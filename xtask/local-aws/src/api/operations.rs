//! Declares a service's closed enum of operations.

/// Makes an enum of operations, each with its input type, and its parser:
///
/// ```text
/// operations! {
///     /// What STS answers.
///     pub enum StsRequest { GetCallerIdentity(GetCallerIdentity) }
/// }
/// ```
///
/// Numbers and booleans are also read from strings, which is what the query
/// protocols have.
macro_rules! operations {
    ($(#[$meta:meta])* pub enum $name:ident { $($operation:ident($input:ty)),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub enum $name {
            $(
                #[doc = concat!("`", stringify!($operation), "`.")]
                $operation($input)
            ),*
        }

        impl $name {
            /// Parses the input of the operation of this name.
            pub fn parse(operation: &str, input: serde_json::Value) -> Result<Self, $crate::api::ParseError> {
                match operation {
                    $(stringify!($operation) => $crate::wire::tree::from_tree(input)
                        .map(Self::$operation)
                        .map_err(|e| $crate::api::ParseError::Input(e.to_string())),)*
                    _ => Err($crate::api::ParseError::UnknownOperation),
                }
            }
        }
    };
}

pub(crate) use operations;
