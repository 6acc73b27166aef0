//! Whether a role's trust policy lets ECS tasks assume it. Pure.
//! Source: IAM User Guide, "IAM JSON policy elements reference"; Amazon ECS Developer Guide, "Amazon ECS task IAM role",
//! whose trust policies have conditions on `aws:SourceAccount` and `aws:SourceArn`.

use serde_json::Value;

use super::identity::one_or_more;

/// Who assumes the roles of a task.
pub(super) const TASKS: &str = "ecs-tasks.amazonaws.com";

/// What a trust policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Tasks may assume the role.
    Yes,
    /// They may not.
    No,
    /// It depends on what is not judged here.
    Depends(&'static str),
}

/// Judges the policy for tasks of this account and region.
pub(super) fn judge(policy: &Value, region: &str, account: &str) -> Trust {
    let about: Vec<&Value> = one_or_more(&policy["Statement"]).filter(|one| concerns(one)).collect();
    let effect = |effect: &'static str| about.iter().copied().filter(move |one| one["Effect"] == effect);
    if about.iter().any(|one| !one["NotPrincipal"].is_null() || !one["NotAction"].is_null()) {
        return Trust::Depends("it has `NotPrincipal` or `NotAction`");
    }
    if effect("Deny").any(|one| one["Condition"].is_null()) {
        return Trust::No;
    }
    if effect("Deny").next().is_some() {
        return Trust::Depends("it denies under conditions");
    }
    if effect("Allow").any(|one| holds(&one["Condition"], region, account)) {
        return Trust::Yes;
    }
    if effect("Allow").next().is_some() { Trust::Depends("it allows under conditions") } else { Trust::No }
}

/// Whether a statement is about tasks that assume the role.
fn concerns(statement: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let service = one_or_more(&statement["Principal"]["Service"]).any(|one| text(one) == TASKS);
    let action = one_or_more(&statement["Action"])
        .any(|one| ["sts:assumerole", "sts:*", "*"].contains(&text(one).as_str()));
    let inverted = |name: &str| !statement[name].is_null();
    (service || inverted("NotPrincipal")) && (action || inverted("NotAction"))
}

/// Conditions that tasks of this account and region are known to meet.
fn holds(condition: &Value, region: &str, account: &str) -> bool {
    let Some(operators) = condition.as_object() else { return condition.is_null() };
    operators.iter().all(|(operator, keys)| {
        let equal = ["StringEquals", "StringLike", "ArnLike", "ArnEquals"].contains(&operator.as_str());
        equal
            && keys
                .as_object()
                .is_some_and(|keys| keys.iter().all(|(key, values)| met(key, values, region, account)))
    })
}

fn met(key: &str, values: &Value, region: &str, account: &str) -> bool {
    let mut values = one_or_more(values).filter_map(Value::as_str);
    match key.to_lowercase().as_str() {
        "aws:sourceaccount" => values.any(|value| value == account),
        "aws:sourcearn" => values.any(|value| {
            let mut parts = value.split(':').skip(2);
            let fits =
                |part: Option<&str>, wanted: &str| part.is_some_and(|part| part == "*" || part == wanted);
            fits(parts.next(), "ecs")
                && fits(parts.next(), region)
                && fits(parts.next(), account)
                && parts.next() == Some("*")
                && parts.next().is_none()
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(statements: Value) -> Trust {
        judge(&json!({ "Statement": statements }), "eu-west-1", "123456789012")
    }

    fn allow(condition: Value) -> Value {
        json!({ "Effect": "Allow", "Principal": { "Service": ["ec2.amazonaws.com", TASKS] }, "Action": "sts:AssumeRole",
                "Condition": condition })
    }

    #[test]
    fn tasks_have_to_be_named() {
        assert_eq!(judged(json!([allow(Value::Null)])), Trust::Yes);
        assert_eq!(judged(allow(Value::Null)), Trust::Yes, "a statement need not be in a list");
        let other = json!({ "Effect": "Allow", "Principal": { "Service": "ecs.amazonaws.com" }, "Action": "sts:AssumeRole" });
        assert_eq!(judged(json!([other])), Trust::No);
        let web = json!({ "Effect": "Allow", "Principal": { "Service": TASKS }, "Action": "sts:AssumeRoleWithWebIdentity" });
        assert_eq!(judged(json!([web])), Trust::No);
    }

    #[test]
    fn the_documented_conditions_are_judged_and_others_are_not() {
        let own = json!({ "StringEquals": { "aws:SourceAccount": "123456789012" },
                          "ArnLike": { "aws:SourceArn": "arn:aws:ecs:eu-west-1:123456789012:*" } });
        assert_eq!(judged(allow(own)), Trust::Yes);
        let elsewhere = json!({ "ArnLike": { "aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:*" } });
        assert!(matches!(judged(allow(elsewhere)), Trust::Depends(_)));
        assert!(matches!(
            judged(allow(json!({ "Bool": { "aws:SecureTransport": "true" } }))),
            Trust::Depends(_)
        ));
    }

    #[test]
    fn a_denial_wins() {
        let mut deny = allow(Value::Null);
        deny["Effect"] = json!("Deny");
        assert_eq!(judged(json!([allow(Value::Null), deny])), Trust::No);
        deny["Condition"] = json!({ "Bool": { "x": "true" } });
        assert!(matches!(judged(json!([allow(Value::Null), deny])), Trust::Depends(_)));
        let inverted = json!({ "Effect": "Deny", "NotPrincipal": { "AWS": "x" }, "Action": "*" });
        assert!(matches!(judged(json!([allow(Value::Null), inverted])), Trust::Depends(_)));
    }
}
