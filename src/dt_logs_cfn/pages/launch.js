"use strict";
// Makes the links and the commands from the form's values. Nothing is sent or stored.

const byId = (id) => document.getElementById(id);
const form = byId("form");
const release = JSON.parse(byId("release").textContent);
const vendor = ["DataTheoremAccountId", "NotificationEndpoint"];
const parameters = [...vendor, "LoadBalancerArns"];
const fields = ["LoadBalancerArns", ...vendor, "RoleArn", "StackName"];
const left = new Set(); // fields that lost focus once: unfinished input is not marked as wrong
const stray = { // characters that a field never has: marked at once
  LoadBalancerArns: /[^\w:/*,-]/,
  DataTheoremAccountId: /[^0-9]/,
  NotificationEndpoint: /[^!-~]/,
  RoleArn: /[^\w+=,.@:/-]/,
  StackName: /[^A-Za-z0-9-]/,
};

// Quoting: for a POSIX shell, for JSON in its single quotes, for Terraform, and for a URL.

function shellWord(value) {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'"'"'`)}'`;
}

function unicode(char) {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function shellJson(value) {
  return JSON.stringify(value).replace(/[^ -~]/g, unicode).replaceAll("'", `'"'"'`);
}

function hclString(value) {
  const escaped = value.replace(/["\\]|[$%](?=\{)|[^ -~]/gu, (char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    if (char.length === 1) return unicode(char);
    return `\\U${char.codePointAt(0).toString(16).padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}

function templateUrl(partition, name) {
  const base = release.partitions[partition].baseUrl;
  return base && `${base}/${release.version}/${name}`;
}

function consoleHome(partition, region) {
  const host = `${region}.${release.partitions[partition].console}`;
  return `https://${host}/cloudformation/home?region=${region}`;
}

function quickCreate(partition, region, template, stack, values) {
  const query = { templateURL: template, stackName: stack };
  for (const [name, value] of Object.entries(values)) query[`param_${name}`] = value;
  const filled = Object.entries(query).map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
  return `${consoleHome(partition, region)}#/stacks/quickcreate?${filled.join("&")}`;
}

// Checks: each returns what is wrong with a value, or nothing.

const loadBalancer = new RegExp(
  "^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:" +
    "loadbalancer/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}$",
);
const queue = /^arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}$/;
const role = /^arn:aws[a-z-]*:iam::[0-9]{12}:role\/[A-Za-z0-9+=,.@_/-]{1,576}$/;
const https = new RegExp(`^(?:${release.httpsUrl})$`);

function account(arn) {
  return arn.split(":")[4];
}

function ofOtherPartition(arn, at) {
  const partition = arn.split(":")[1];
  if (partition === at.partition) return "";
  return `${arn} is in partition ${partition}, but ${at.region} is in ${at.partition}.`;
}

function checkLoadBalancer(arn, first, at) {
  if (!loadBalancer.test(arn)) {
    return `${arn.slice(0, 120)} is not the ARN of an application load balancer. Enter one like ` +
      `arn:${at.partition}:elasticloadbalancing:${at.region}:ACCOUNT:loadbalancer/app/NAME/ID.`;
  }
  const region = arn.split(":")[3];
  if (ofOtherPartition(arn, at)) return ofOtherPartition(arn, at);
  if (region !== at.region) return `${arn} is in region ${region}, not ${at.region}.`;
  if (account(arn) === account(first)) return "";
  return `${arn} is in account ${account(arn)}, the first one in ${account(first)}. ` +
    "Launch a stack in each account.";
}

function checkLoadBalancers(arns, at) {
  if (arns.includes("*")) return arns.length > 1 ? "* means all load balancers. Remove the ARNs, or the *." : "";
  const wrong = arns.map((arn) => checkLoadBalancer(arn, arns[0], at)).find(Boolean);
  if (wrong || arns.join(",").length <= 4096) return wrong || "";
  return "A parameter holds 4,096 bytes, about 35 ARNs. Enter *, or launch a second stack for " +
    "the others.";
}

function checkAccount(value) {
  return /^[0-9]{12}$/.test(value) ? "" : "Enter an AWS account ID: 12 digits.";
}

function checkEndpoint(value, at) {
  if (queue.test(value)) return ofOtherPartition(value, at);
  if (https.test(value) && value.length <= 2048) return "";
  return `Enter an https URL, or the ARN of a standard SQS queue in partition ${at.partition}.`;
}

function checkRole(value, at, arns) {
  if (!role.test(value)) return `Enter a role ARN like arn:${at.partition}:iam::ACCOUNT:role/NAME.`;
  if (!arns.length || arns.includes("*") || account(arns[0]) === account(value)) {
    return ofOtherPartition(value, at);
  }
  return `The role is in account ${account(value)}, the load balancers are in ${account(arns[0])}.`;
}

function checkStackName(value) {
  if (/^dt-logs-analysis[A-Za-z0-9-]{0,112}$/.test(value)) return "";
  return "Start with dt-logs-analysis, because the service role may run no other stack. Use up " +
    "to 128 letters, digits and hyphens.";
}

function check(values, at) {
  const arns = values.LoadBalancerArns ? values.LoadBalancerArns.split(",") : [];
  const checks = {
    LoadBalancerArns: () => checkLoadBalancers(arns, at),
    DataTheoremAccountId: checkAccount,
    NotificationEndpoint: (value) => checkEndpoint(value, at),
    RoleArn: (value) => checkRole(value, at, arns),
    StackName: checkStackName,
  };
  const wrong = {};
  for (const name of fields) {
    const text = values[name] && checks[name](values[name]);
    if (text) wrong[name] = text;
  }
  return wrong;
}

// The page: read the form, check it, fill in the links and the commands.

function place() {
  const region = byId("Region");
  return { region: region.value, partition: region.selectedOptions[0].dataset.partition };
}

function setByRelease(at) {
  for (const name of vendor) {
    const value = release.partitions[at.partition].parameters[name];
    const field = byId(name);
    if (field.readOnly) field.value = "";
    if (value) field.value = value;
    field.readOnly = Boolean(value);
  }
}

function read() {
  const values = Object.fromEntries(fields.map((name) => [name, byId(name).value.trim()]));
  const arns = values.LoadBalancerArns.split(/[\s,]+/).filter(Boolean);
  values.LoadBalancerArns = [...new Set(arns)].join(",");
  values.StackName ||= release.placeholders.StackName;
  return values;
}

function showErrors(wrong, values) {
  for (const name of fields) {
    const text = left.has(name) || stray[name].test(values[name]) ? wrong[name] || "" : "";
    byId(`${name}-error`).textContent = text;
    byId(name).setAttribute("aria-invalid", String(Boolean(text)));
  }
}

function label(name) {
  return document.querySelector(`label[for="${name}"]`).textContent;
}

function status(wrong, missing, at) {
  const names = Object.keys(wrong);
  if (!names.length && !missing.length) return `Complete for ${at.region}.`;
  const said = [`For ${at.region}.`];
  if (names.length) said.push(`Correct this first: ${names.map(label).join(", ")}.`);
  if (missing.length) said.push(`Still missing: ${missing.map(label).join(", ")}.`);
  return `${said.join(" ")} Words in capitals stand for them in the commands.`;
}

function option(template, at) {
  const url = templateUrl(at.partition, template);
  return url ? `--template-url ${shellWord(url)}` : `--template-body file://${template}`;
}

function attribute(template, at) {
  const url = templateUrl(at.partition, template);
  const file = `template_body = file("\${path.module}/${template}")`;
  return url ? `template_url = ${hclString(url)}` : file;
}

function fill(values, at) {
  const { privileges } = Object.fromEntries(new FormData(form));
  const known = {
    ...release.placeholders,
    ...Object.fromEntries(Object.entries(values).filter(([, value]) => value)),
    Region: at.region,
    Template: release.templates[privileges],
    RoleTemplate: release.templates.role,
    Privileges: privileges,
  };
  const pair = (value, _, name) => shellWord(`${name}=${value}`);
  const quotings = { word: shellWord, pair, json: shellJson, hcl: hclString, option, attribute };
  for (const slot of byId("result").querySelectorAll("[data-value]")) {
    const { quoting, value } = slot.dataset;
    slot.textContent = quotings[quoting](known[value], at, value);
  }
  const given = parameters.filter((name) => values[name]).map((name) => [name, values[name]]);
  link("role-link", at, known.RoleTemplate, release.roleStack, {});
  link("stack-link", at, known.Template, known.StackName, Object.fromEntries(given));
}

function link(id, at, template, stack, values) {
  const url = templateUrl(at.partition, template);
  byId(id).hidden = !url;
  if (url) byId(id).href = quickCreate(at.partition, at.region, url, stack, values);
  else byId(id).removeAttribute("href");
}

function update() {
  const at = place();
  setByRelease(at);
  const values = read();
  const wrong = check(values, at);
  showErrors(wrong, values);
  const text = status(wrong, fields.filter((name) => !values[name]), at);
  if (byId("status").textContent !== text) byId("status").textContent = text;
  byId("status").classList.toggle("bad", Object.keys(wrong).length > 0);
  const published = Boolean(release.partitions[at.partition].baseUrl);
  for (const each of document.querySelectorAll("[data-published]")) each.hidden = !published;
  for (const each of document.querySelectorAll("[data-unpublished]")) {
    each.hidden = published || each.dataset.unpublished !== at.partition;
  }
  byId("console-link").hidden = published;
  byId("console-link").href = consoleHome(at.partition, at.region);
  for (const name of Object.keys(wrong)) values[name] = ""; // no command contains a wrong value
  fill(values, at);
}

async function copy(button) {
  const source = byId(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    byId("copied").textContent = `${button.getAttribute("aria-label")}: done.`;
  } catch {
    getSelection().selectAllChildren(source);
    byId("copied").textContent =
      "The browser does not let this page copy. The text is selected: copy it by hand.";
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", update);
form.addEventListener("change", (event) => {
  left.add(event.target.id);
  update();
});
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy(button));
}
// The browser may restore the form's values when it shows the page again.
addEventListener("pageshow", update);
byId("launcher").hidden = false;
