// The chat: what was said is kept in this browser alone.

import { call, requestOf, stream } from "./api.js";
import { codeTabs } from "./code_tabs.js";
import { withCost } from "./facts.js";
import { failureOf } from "./failure.js";
import { htmlOf } from "./markdown.js";
import { copyText, keptName, startPage } from "./page.js";
import { t } from "./texts.js";

const KEPT = keptName("chat");
const PATH = "/v1/chat/completions";
const REWRITING = "optimize/"; // begins the names of models that rewrite prompts
const NO_SETTINGS = { model: "", system: "", temperature: "", maxTokens: "" };
const MOST_KEPT = 200;
const SAID_MS = 10_000; // until what was said to screen readers leaves the page, where it would be read twice

/** Returns what this browser has kept; nothing where it keeps nothing, or something else. */
function kept() {
  try {
    const { settings, messages } = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    return { settings: { ...NO_SETTINGS, ...settings }, messages: messages ?? [] };
  } catch {
    return { settings: { ...NO_SETTINGS }, messages: [] };
  }
}

/** Returns the body of a call: what was said, with the settings that are set. */
export function bodyOf(settings, messages) {
  const said = messages.map(({ role, text }) => ({ role, content: text }));
  const system = settings.system.trim() ? [{ role: "system", content: settings.system }] : [];
  const body = { model: settings.model, messages: [...system, ...said], stream: true };
  body.stream_options = { include_usage: true };
  if (settings.temperature !== "") body.temperature = Number(settings.temperature);
  if (settings.maxTokens !== "") body.max_tokens = Number(settings.maxTokens);
  return body;
}

/** Makes an id; `randomUUID` is there over TLS alone. */
function newId() {
  return crypto.getRandomValues(new Uint32Array(2)).join("-");
}

function chat() {
  let stopping = null; // the AbortController of the call in progress
  return {
    ...kept(),
    models: [],
    rewriting: [],
    draft: "",
    failure: null,
    status: "",
    copied: null,
    writing: null, // the id of the message that is being written
    sent: null, // the last request, as this page has sent it
    isWide: matchMedia("(min-width: 56rem)").matches,

    init() {
      this.ready = this.load();
    },
    async load() {
      try {
        const { value } = await call("GET", "/v1/models");
        const names = value.data.map((model) => model.id);
        this.models = names.filter((name) => !name.startsWith(REWRITING));
        this.rewriting = names.filter((name) => name.startsWith(REWRITING));
        if (!names.includes(this.settings.model)) this.settings.model = names[0] ?? "";
      } catch (error) {
        this.fail(error);
      }
    },
    get isBusy() {
      return this.writing !== null;
    },
    get canRetry() {
      return !this.isBusy && this.messages.length > 0;
    },

    nameOf(message) {
      return message.role === "user" ? t("chat.you") : message.model;
    },
    isLast(index) {
      return index === this.messages.length - 1;
    },
    isWriting(message) {
      return this.writing === message.id;
    },
    isWaiting(message) {
      return this.isWriting(message) && !message.text;
    },
    show(element, message) {
      if (message.role === "assistant") element.innerHTML = htmlOf(message.text);
    },
    copyLabel(message) {
      return this.copied === message.id ? t("script.copied") : t("script.copy");
    },

    press(event) {
      // While a word is composed, as in Chinese, Enter chooses it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    },
    fit() {
      const field = this.$refs.draft;
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight + 2}px`;
    },
    submit() {
      const text = this.draft.trim();
      if (!text || this.isBusy) return;
      this.draft = "";
      this.$nextTick(() => this.fit());
      this.ask(text);
    },
    ask(text) {
      this.$refs.draft.focus(); // examples leave the page when they are asked
      this.messages.push({ id: newId(), role: "user", text });
      this.answer();
    },
    retry() {
      if (this.messages.at(-1)?.role === "assistant") this.messages.pop();
      this.$refs.draft.focus();
      this.answer();
    },
    stop() {
      stopping?.abort();
    },
    clear() {
      this.messages = [];
      this.failure = null;
      this.sent = null;
      this.keep();
      this.$refs.draft.focus();
    },
    async copy(message) {
      if (!(await copyText(message.text))) return;
      this.copied = message.id;
      this.status = t("script.copied");
    },

    async answer() {
      const id = newId();
      this.writing = id;
      await this.ready; // somebody was faster than the list of models
      const body = bodyOf(this.settings, this.messages);
      this.failure = null;
      this.status = t("chat.waiting");
      this.sent = requestOf("POST", PATH, body);
      this.messages.push({ id, role: "assistant", text: "", thoughts: "", model: body.model, facts: null });
      const message = this.messages.at(-1);
      stopping = new AbortController();
      try {
        const { signal } = stopping;
        const { facts } = await stream(PATH, body, {
          signal,
          onStart: (begun) => (message.facts = begun.facts),
          onEvent: (event) => this.take(message, event),
        });
        message.facts = facts;
        this.$nextTick(() => this.say(document.querySelector(".message:last-child .prose").innerText));
      } catch (error) {
        this.end(message, error);
      }
      stopping = null;
      this.writing = null;
      this.keep();
      if (message.facts) message.facts = await withCost({ ...message.facts });
      this.keep();
    },
    take(message, event) {
      const delta = event.choices?.[0]?.delta ?? {};
      if (event.model) message.model = event.model;
      message.thoughts += delta.reasoning_content ?? delta.reasoning ?? "";
      message.text += delta.content ?? "";
      this.follow();
    },
    /** Has screen readers say an answer once, when it is complete; while it is written they would stutter. */
    say(text) {
      const said = `${t("chat.done")} ${text}`;
      this.status = said;
      setTimeout(() => (this.status = this.status === said ? "" : this.status), SAID_MS);
    },
    /** Keeps the end in sight, unless somebody has scrolled up to read. */
    follow() {
      const page = document.scrollingElement;
      const isAtEnd = page.scrollHeight - page.scrollTop - innerHeight < 160;
      if (isAtEnd) this.$nextTick(() => page.scrollTo({ top: page.scrollHeight }));
    },
    end(message, error) {
      if (error.name === "AbortError") {
        message.isStopped = true;
        this.status = t("script.stopped");
      } else {
        this.fail(error);
      }
      if (!message.text && !message.thoughts) this.messages = this.messages.filter((one) => one.id !== message.id);
    },
    fail(error) {
      this.failure = failureOf(error);
      this.status = "";
    },
    keep() {
      const { settings, messages } = this;
      try {
        localStorage.setItem(KEPT, JSON.stringify({ settings, messages: messages.slice(-MOST_KEPT) }));
      } catch {
        // A browser that keeps nothing still talks.
      }
    },
  };
}

startPage({ chat, codeTabs });
