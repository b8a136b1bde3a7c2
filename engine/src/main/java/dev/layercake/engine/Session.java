package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.model.Forward;
import dev.layercake.model.text.ChatMessage;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.text.ChatTemplateOptions;
import dev.layercake.model.tokenizer.EncodeOptions;
import dev.layercake.model.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One conversation with a {@link LanguageModel}: a text that grows turn by turn, and those of its keys and values that the
 * policy keeps. Used by one thread at a time; only {@link #cancel} and {@link #close} may come from others.
 *
 * <p>A turn reads only what is new. If a chat template writes the earlier turns differently than before (some leave out the
 * model's thoughts), or a prompt was cancelled half read, the conversation is read again from its beginning. What was
 * cancelled is not part of it: the next turn follows what was said before.
 */
public final class Session implements AutoCloseable {
    /** Stands for a question that nobody has asked yet. */
    private static final String QUESTION = "\u2370";

    private final LanguageModel owner;
    private final KvCache cache;
    private final List<ChatMessage> messages = new ArrayList<>();

    /** What {@link #feedContext} has read of a message whose end is still to come; empty if none. */
    private String context = "";

    /** The text so far as the chat template wrote it and the model continued it. */
    private String transcript = "";

    /** The tokens of the text so far; the cache has read the first ones, all but the last usually, none if it lost them. */
    private int[] textTokens = new int[0];

    /** The end of a text that was fed: what follows may still change how it is cut, so it is not read yet. */
    private String openEnd = "";

    /** How many of the tokens stay whatever follows; those after them are the open end's. */
    private int settledTokens;

    private @Nullable Generation running;
    private volatile boolean cancelled;
    private volatile boolean closed;

    Session(LanguageModel owner, KvCache cache) {
        this.owner = owner;
        this.cache = cache;
    }

    /** What stays in the cache. */
    public KvPolicy policy() {
        return cache.policy();
    }

    /** Tokens of the text so far. */
    public int tokens() {
        return textTokens.length;
    }

    /** The tokens of the text so far. */
    int[] text() {
        return textTokens.clone();
    }

    /** The KV memory of this session. */
    public KvUsage kv() {
        return owner.exclusively(() -> new KvUsage(
                policy().spec(),
                cache.tokensSeen(),
                cache.lease().bytesInUse(),
                cache.lease().peakBytes(),
                cache.plan(0, 0).fullBytes(),
                cache.slowBytes(),
                cache.slices()));
    }

    /**
     * Where in the text the entries lie that a head holds in full now.
     *
     * @return positions of tokens, counted from 0, ascending
     */
    public int[] positions(int layer, int kvHead) {
        return owner.exclusively(() -> {
            int[] positions = cache.positions(layer, kvHead).clone();
            Arrays.sort(positions);
            return positions;
        });
    }

    /** Says something and gets an answer, greedily, up to 256 tokens; as {@link #ask(String, GenerationOptions)}. */
    public Generation ask(String message) {
        return ask(message, GenerationOptions.DEFAULT);
    }

    /**
     * Says something and gets an answer. The message is written as the model's chat template has it; without a template it
     * simply continues the text.
     *
     * @return the answer, computed while it is read
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Generation ask(String message, GenerationOptions options) {
        beginTurn();
        String begun = context;
        String end = begun.isEmpty() ? message : " " + message.strip();
        Optional<ChatTemplate> template = owner.model().chatTemplate();
        Generation answer = template.isEmpty()
                ? proceed(end, options)
                : say(ChatMessage.user(begun + end), template.get(), options);
        context = "";
        answer.whenDone(() -> {
            if (!answer.promptRead()) {
                context = begun;
            }
            if (template.isPresent()) {
                answered(answer);
            }
        });
        return answer;
    }

    private Generation say(ChatMessage message, ChatTemplate template, GenerationOptions options) {
        List<ChatMessage> asked = new ArrayList<>(messages);
        asked.add(message);
        Generation answer = proceed(asked, template, options);
        messages.add(message);
        return answer;
    }

    /** A message whose end was not read has not been said. */
    private void answered(Generation answer) {
        if (answer.promptRead()) {
            messages.add(ChatMessage.assistant(answer.textSoFar()));
        } else {
            messages.removeLast();
        }
    }

    /**
     * Continues a conversation that the caller keeps. What it shares with the text so far is not read again.
     *
     * @param conversation all of it, from the first message on
     * @throws LayercakeException (bad input) if the model has no chat template; (over capacity) if it cannot fit
     */
    public Generation chat(List<ChatMessage> conversation, GenerationOptions options) {
        Optional<ChatTemplate> template = owner.model().chatTemplate();
        if (template.isEmpty()) {
            throw LayercakeException.badInput("The model " + owner.model().name()
                    + " has no chat template; give it plain text instead of messages.");
        }
        beginTurn();
        return proceed(conversation, template.get(), options);
    }

    private Generation proceed(List<ChatMessage> conversation, ChatTemplate template, GenerationOptions options) {
        Tokenizer tokenizer = owner.model().tokenizer();
        String text = render(conversation, template);
        boolean continues = !transcript.isEmpty() && text.startsWith(transcript) && text.length() > transcript.length();
        if (!continues) {
            forget();
        }
        String added = text.substring(transcript.length());
        return begin(
                () -> tokenizer.encode(added, encoding(false).after(transcript).withGuarded()),
                textTokens.length,
                text,
                options,
                options.maxTokens());
    }

    /**
     * Continues the text.
     *
     * @param text as it is, without a chat template; special tokens in it are recognised
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Generation generate(String text, GenerationOptions options) {
        beginTurn();
        return proceed(text, options);
    }

    private Generation proceed(String text, GenerationOptions options) {
        return begin(() -> encode(openEnd + text), settledTokens, transcript + text, options, options.maxTokens());
    }

    /** Tokens of a plain text that follows the text so far without its open end. */
    private int[] encode(String text) {
        return owner.model()
                .tokenizer()
                .encode(text, encoding(settledTokens == 0).after(settledText()));
    }

    private String settledText() {
        return transcript.substring(0, transcript.length() - openEnd.length());
    }

    /**
     * How new text is cut; one that is far beyond the context is not cut to its end, and {@link #cancel} ends the cutting.
     */
    private EncodeOptions encoding(boolean addSpecialTokens) {
        EncodeOptions options = EncodeOptions.of(addSpecialTokens).with((done, all) -> !cancelled());
        // A little more may be wanted than there is room for: then the exact number is worth knowing.
        return policy().positions() == PositionRule.SLOT
                ? options
                : options.atMost(
                        (int) Math.min(Integer.MAX_VALUE, 2L * owner.contextTokens() + 4096), owner.contextTokens());
    }

    /**
     * Continues the text.
     *
     * @param tokens as the model's tokenizer numbers them
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Generation generate(int[] tokens, GenerationOptions options) {
        beginTurn();
        String text = transcript + owner.model().tokenizer().decode(tokens, false);
        return begin(tokens::clone, textTokens.length, text, options, options.maxTokens());
    }

    /**
     * Reads text without answering: what a later question is about. The policy cuts it now, before it knows the question.
     *
     * <p>Texts that are fed one after the other, and a text that is generated after them, get the tokens of the whole: the
     * last word is not read before it is known to be complete. Text without blanks may be one word, so that all of it waits for
     * what follows or for a question.
     *
     * @return what it took; the finish reason is {@link FinishReason#LENGTH}
     */
    public GenerationSummary feed(String text) {
        beginTurn();
        requireOpen();
        if (text.isEmpty()) {
            throw nothingToRead();
        }
        String all = openEnd + text;
        int settled = owner.model().tokenizer().settled(all);
        String before = settledText();
        if (settled == 0) {
            FinishReason reason = holdOpen(before, all) ? FinishReason.LENGTH : FinishReason.CANCELLED;
            return nothingRead(GenerationOptions.DEFAULT, reason).summary();
        }
        String now = all.substring(0, settled);
        Generation reading = begin(() -> encode(now), settledTokens, before + now, GenerationOptions.DEFAULT, 0);
        GenerationSummary summary = reading.summary();
        if (reading.promptRead() && settled < all.length() && !holdOpen(before + now, all.substring(settled))) {
            return nothingRead(GenerationOptions.DEFAULT, FinishReason.CANCELLED)
                    .summary();
        }
        return summary;
    }

    /**
     * Keeps the end of what was fed for what follows; until then its tokens are what they are without that.
     *
     * @return false if it is cancelled meanwhile, and so not part of the text
     */
    private boolean holdOpen(String settled, String end) {
        int[] tokens;
        try {
            tokens = owner.model()
                    .tokenizer()
                    .encode(end, encoding(settledTokens == 0).after(settled));
        } catch (CancellationException e) {
            return false;
        }
        int kept = settledTokens;
        requireContext(Math.addExact(kept - cache.tokensSeen(), tokens.length), 0);
        grown(kept, tokens, settled + end);
        openEnd = end;
        settledTokens = kept;
        return true;
    }

    /** A turn that is over before anything was read. */
    private Generation nothingRead(GenerationOptions options, FinishReason reason) {
        Generation generation = new Generation(this, new int[0], transcript, options, 0, reserve(0, 0));
        generation.endUnread(reason);
        return generation;
    }

    /** The same for a text that has been cut into tokens already. */
    public GenerationSummary feed(int[] tokens) {
        beginTurn();
        String text = owner.model().tokenizer().decode(tokens, false);
        return begin(tokens::clone, textTokens.length, transcript + text, GenerationOptions.DEFAULT, 0)
                .summary();
    }

    /**
     * Reads the beginning of a message, without answering: a text that later questions are about. The policy cuts it now,
     * before it knows any question; {@link #fork} then begins one conversation per question from the same entries. If it is
     * cancelled, the next question is read together with the text.
     *
     * @param text what is read; the next {@link #ask} completes the message with its question
     * @param listener told how far the reading is
     * @return what it took; the finish reason is {@link FinishReason#LENGTH}
     * @throws LayercakeException (bad model) if the model's chat template does not write messages as they are
     */
    public GenerationSummary feedContext(String text, GenerationListener listener) {
        beginTurn();
        requireOpen();
        String begun = text.strip();
        GenerationSummary summary = owner.model().chatTemplate().isEmpty()
                ? feedText(begun, listener)
                : feedMessage(begun, owner.model().chatTemplate().get()).run(listener);
        context = begun;
        return summary;
    }

    private GenerationSummary feedText(String text, GenerationListener listener) {
        String all = transcript + text;
        int kept = settledTokens;
        int[] tokens = encode(openEnd + text);
        Generation reading = start(tokens, kept, all, GenerationOptions.DEFAULT, 0);
        GenerationSummary summary = reading.run(listener);
        if (!reading.promptRead()) {
            grown(kept, tokens, all);
        }
        return summary;
    }

    /** What the template makes of messages; names of special tokens in them stay ordinary text. */
    private String render(List<ChatMessage> conversation, ChatTemplate template) {
        Tokenizer tokenizer = owner.model().tokenizer();
        List<ChatMessage> guarded = conversation.stream()
                .map(message -> new ChatMessage(message.role(), tokenizer.guard(message.content())))
                .toList();
        return template.render(guarded, ChatTemplateOptions.defaults());
    }

    /** What the template writes up to the end of the message's text; the question will follow it. */
    private Generation feedMessage(String begun, ChatTemplate template) {
        Tokenizer tokenizer = owner.model().tokenizer();
        List<ChatMessage> conversation = new ArrayList<>(messages);
        conversation.add(ChatMessage.user(begun + " " + QUESTION));
        String rendered = render(conversation, template);
        int cut = rendered.lastIndexOf(" " + QUESTION);
        if (cut < 0 || !rendered.startsWith(transcript)) {
            throw LayercakeException.badModel(
                    "The chat template of " + owner.model().name()
                            + " changes the text of messages, so that it cannot be read before the question; give both together.");
        }
        String prefix = rendered.substring(0, cut);
        String added = prefix.substring(transcript.length());
        return begin(
                () -> tokenizer.encode(added, encoding(false).after(transcript).withGuarded()),
                textTokens.length,
                prefix,
                GenerationOptions.DEFAULT,
                0);
    }

    /**
     * A second conversation that begins with everything this one has read: the same text, the same entries kept, in memory of its
     * own. Neither knows of what the other reads afterwards.
     *
     * @throws LayercakeException (over capacity) if the pool has no room for a copy of the entries
     */
    public Session fork() {
        endRunning();
        return owner.exclusively(() -> {
            requireOpen();
            Session copy = owner.open(cache.fork());
            copy.messages.addAll(messages);
            copy.context = context;
            copy.transcript = transcript;
            copy.textTokens = textTokens;
            copy.openEnd = openEnd;
            copy.settledTokens = settledTokens;
            return copy;
        });
    }

    /**
     * Continues the text with tokens that are given, and says how likely the model found each: the first ones are read as
     * a prompt, which the policy may cut, the others one by one as if they had been generated (teacher forcing).
     *
     * @param prompt at least one token
     * @param continuation the tokens to judge
     * @return natural logarithm of the probability of each token of the continuation, given all before it
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public double[] score(int[] prompt, int[] continuation) {
        beginTurn();
        requireOpen();
        if (prompt.length == 0) {
            throw nothingToRead();
        }
        requireVocabulary(continuation);
        int before = cache.tokensSeen();
        int[] tokens = withUnread(textTokens.length, prompt);
        requireContext(tokens.length, continuation.length);
        reserve(tokens.length, continuation.length);
        float[] logits = new float[owner.model().config().vocabularySize()];
        double[] likelihoods = new double[continuation.length];
        try {
            owner.prefill(cache, tokens, Forward.Progress.NONE, this::cancelled, logits);
            for (int index = 0; index < continuation.length; index++) {
                if (index > 0) {
                    owner.decode(cache, continuation[index - 1], this::cancelled, logits);
                }
                likelihoods[index] = logProbability(logits, continuation[index]);
            }
        } catch (RuntimeException | Error e) {
            settle();
            throw e;
        }
        Tokenizer tokenizer = owner.model().tokenizer();
        grown(before, tokens, transcript + tokenizer.decode(prompt, false));
        grown(tokens(), continuation, transcript + tokenizer.decode(continuation, false));
        settle();
        return likelihoods;
    }

    private void requireVocabulary(int[] tokens) {
        int vocabulary = owner.model().config().vocabularySize();
        for (int token : tokens) {
            if (token < 0 || token >= vocabulary) {
                throw LayercakeException.badInput("token " + token + " is outside the model's vocabulary of "
                        + vocabulary + "; the tokenizer belongs to another model");
            }
        }
    }

    private static double logProbability(float[] logits, int token) {
        double largest = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            largest = Math.max(largest, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - largest);
        }
        return logits[token] - largest - Math.log(sum);
    }

    /** New tokens behind those of the text, of which so many stay, that are not in the cache. */
    private int[] withUnread(int kept, int[] newTokens) {
        int read = cache.tokensSeen();
        int[] tokens = new int[Math.addExact(kept - read, newTokens.length)];
        System.arraycopy(textTokens, read, tokens, 0, kept - read);
        System.arraycopy(newTokens, 0, tokens, kept - read, newTokens.length);
        return tokens;
    }

    /**
     * Begins a turn, cancelled already if that happened while its text was cut into tokens.
     *
     * @param newTokens cuts the new text
     * @param kept how many of the tokens so far the new ones follow
     * @param text all of it, the new one included
     */
    private Generation begin(
            Supplier<int[]> newTokens, int kept, String text, GenerationOptions options, int maxTokens) {
        requireOpen();
        int[] tokens;
        try {
            tokens = newTokens.get();
        } catch (CancellationException e) {
            return nothingRead(options, FinishReason.CANCELLED);
        }
        return start(tokens, kept, text, options, maxTokens);
    }

    private Generation start(int[] newTokens, int kept, String text, GenerationOptions options, int maxTokens) {
        requireOpen();
        int[] tokens = withUnread(kept, newTokens);
        if (newTokens.length == 0) {
            throw nothingToRead();
        }
        requireContext(tokens.length, maxTokens);
        MemoryPlan plan = reserve(tokens.length, maxTokens);
        Generation generation = new Generation(this, tokens, text, options, maxTokens, plan);
        running = generation;
        return generation;
    }

    private static LayercakeException nothingToRead() {
        return LayercakeException.badInput("There is nothing to read: the prompt is empty.");
    }

    private void requireContext(int promptTokens, int maxTokens) {
        long text = (long) cache.rotations(promptTokens).first() + promptTokens;
        long needed = text + maxTokens;
        if (policy().positions() == PositionRule.SLOT) {
            // A stream may be as long as it likes: no token is ever farther away than the budget.
            needed = Math.min(needed, policy().allocator().budget() + 1L);
        }
        if (needed > owner.contextTokens()) {
            String before = cache.tokensSeen() == 0 ? "" : cache.tokensSeen() + " tokens so far, ";
            throw LayercakeException.overCapacity("The text would grow to " + needed + " tokens (" + before
                    + promptTokens
                    + " of the prompt, up to " + maxTokens + " of the answer), but the context is "
                    + owner.contextTokens() + "; shorten the prompt, ask for fewer tokens (-n), "
                    + (cache.tokensSeen() == 0 ? "" : "begin a new conversation (/reset), ")
                    + "or " + owner.widerContext(needed) + ".");
        }
        requireReplay(text, promptTokens);
    }

    /** A text that its policy has the model repeat needs some positions for that behind its end. */
    private void requireReplay(long text, int promptTokens) {
        int repeating = owner.replayTokens(cache, promptTokens);
        if (repeating > 0 && text + repeating > owner.contextTokens()) {
            throw LayercakeException.overCapacity("The policy " + policy().name()
                    + " has the model repeat the text behind its end, " + repeating
                    + " tokens at a time or more, but with "
                    + text + " tokens of text the context of " + owner.contextTokens()
                    + " has no room for that; shorten the prompt, or " + owner.widerContext(text + repeating) + ".");
        }
    }

    /** Makes sure, before anything is computed, that memory will suffice to the end. */
    private MemoryPlan reserve(int promptTokens, int maxTokens) {
        return owner.exclusively(() -> {
            var kvPlan = cache.plan(promptTokens, maxTokens);
            MemoryPlan plan = owner.plan(
                    kvPlan,
                    policy(),
                    promptTokens,
                    (long) cache.tokensSeen() + promptTokens + maxTokens,
                    cache.lease().bytesInUse());
            plan.requireFits();
            cache.reserve(promptTokens, maxTokens);
            return plan;
        });
    }

    /**
     * Ends the answer that is being generated, at once, also while its prompt is read or waits for others. A turn that begins
     * afterwards is not concerned. Any thread may call it.
     */
    public void cancel() {
        cancelled = true;
    }

    boolean cancelled() {
        return cancelled || closed;
    }

    /** Forgets the conversation; KV pages go back to the pool. */
    public void reset() {
        endRunning();
        messages.clear();
        context = "";
        forget();
    }

    private void forget() {
        requireOpen();
        owner.exclusively(() -> {
            cache.clear();
            cache.lease().reserve(0);
            return cache;
        });
        grown(0, new int[0], "");
    }

    /** From here on {@link #cancel} means the turn that begins now. */
    private void beginTurn() {
        cancelled = false;
        endRunning();
    }

    /** Whoever asks anew has lost interest in an answer that is not read to its end. */
    private void endRunning() {
        Generation unfinished = running;
        running = null;
        if (unfinished != null) {
            unfinished.abandon();
        }
    }

    LanguageModel owner() {
        return owner;
    }

    KvCache cache() {
        return cache;
    }

    /**
     * The text has grown.
     *
     * @param from how many tokens of the text so far stay before the new ones; those in the cache, or all
     */
    void grown(int from, int[] newTokens, String text) {
        int[] tokens = Arrays.copyOf(textTokens, Math.addExact(from, newTokens.length));
        System.arraycopy(newTokens, 0, tokens, from, newTokens.length);
        textTokens = tokens;
        transcript = text;
        openEnd = "";
        settledTokens = tokens.length;
    }

    /**
     * A turn is over: a prompt that was read but has not become part of the text is forgotten, and what was reserved beyond what
     * is held goes back until the next turn.
     */
    void settle() {
        owner.exclusively(() -> {
            if (!closed) {
                if (cache.tokensSeen() > textTokens.length) {
                    cache.clear();
                }
                cache.lease().reserve(0);
            }
            return cache;
        });
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the session is closed");
        }
    }

    /** Ends what is being generated and returns all KV memory. Closing twice is harmless. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            owner.closeSession(this, cache);
        }
    }
}
