package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.PositionRule;
import dev.layercake.model.text.ChatMessage;
import dev.layercake.model.text.ChatTemplate;
import dev.layercake.model.text.ChatTemplateOptions;
import dev.layercake.model.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One conversation with a {@link LanguageModel}: a text that grows turn by turn, and those of its keys and values that the
 * policy keeps. Used by one thread at a time; only {@link #cancel} and {@link #close} may come from others.
 *
 * <p>A turn reads only what is new. If a chat template writes the earlier turns differently than before (some leave out the
 * model's thoughts), or a prompt was cancelled half read, the conversation is read again from its beginning.
 */
public final class Session implements AutoCloseable {
    private final LanguageModel owner;
    private final KvCache cache;
    private final List<ChatMessage> messages = new ArrayList<>();

    /** The text so far as the chat template wrote it and the model continued it. */
    private String transcript = "";

    /** The last token of the text if it is not in the cache yet, else -1. */
    private int pendingToken = -1;

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
        return cache.tokensSeen() + (pendingToken >= 0 ? 1 : 0);
    }

    /** The KV memory of this session. */
    public KvUsage kv() {
        return owner.exclusively(() -> new KvUsage(
                policy().spec(),
                cache.tokensSeen(),
                cache.lease().bytesInUse(),
                cache.lease().peakBytes(),
                cache.plan(0, 0).fullBytes(),
                cache.slices()));
    }

    /**
     * Where in the text the entries lie that a head holds now.
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
        if (owner.model().chatTemplate().isEmpty()) {
            return generate(message, options);
        }
        endRunning();
        List<ChatMessage> asked = new ArrayList<>(messages);
        asked.add(ChatMessage.user(message));
        Generation answer = chat(asked, options);
        messages.add(ChatMessage.user(message));
        answer.whenDone(() -> {
            if (answer.promptRead()) {
                messages.add(ChatMessage.assistant(answer.textSoFar()));
            } else {
                messages.removeLast();
            }
        });
        return answer;
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
        endRunning();
        Tokenizer tokenizer = owner.model().tokenizer();
        List<ChatMessage> guarded = conversation.stream()
                .map(message -> new ChatMessage(message.role(), tokenizer.guard(message.content())))
                .toList();
        String text = template.get().render(guarded, ChatTemplateOptions.defaults());
        boolean continues = !transcript.isEmpty() && text.startsWith(transcript) && text.length() > transcript.length();
        if (!continues) {
            forget();
        }
        return begin(tokenizer.encodeGuarded(text.substring(transcript.length()), false), text, options);
    }

    /**
     * Continues the text.
     *
     * @param text as it is, without a chat template; special tokens in it are recognised
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Generation generate(String text, GenerationOptions options) {
        endRunning();
        boolean beginning = tokens() == 0;
        return begin(owner.model().tokenizer().encode(text, beginning), transcript + text, options);
    }

    /**
     * Continues the text.
     *
     * @param tokens as the model's tokenizer numbers them
     * @throws LayercakeException (over capacity) before anything is computed, if it cannot fit
     */
    public Generation generate(int[] tokens, GenerationOptions options) {
        endRunning();
        return begin(tokens.clone(), transcript + owner.model().tokenizer().decode(tokens, false), options);
    }

    /**
     * Reads text without answering: what a later question is about. The policy cuts it now, before it knows the question.
     *
     * @return what it took; the finish reason is {@link FinishReason#LENGTH}
     */
    public GenerationSummary feed(String text) {
        endRunning();
        boolean beginning = tokens() == 0;
        int[] tokens = owner.model().tokenizer().encode(text, beginning);
        return start(tokens, transcript + text, GenerationOptions.DEFAULT, 0).summary();
    }

    /** The same for a text that has been cut into tokens already. */
    public GenerationSummary feed(int[] tokens) {
        endRunning();
        String text = owner.model().tokenizer().decode(tokens, false);
        return start(tokens.clone(), transcript + text, GenerationOptions.DEFAULT, 0)
                .summary();
    }

    private Generation begin(int[] tokens, String text, GenerationOptions options) {
        return start(tokens, text, options, options.maxTokens());
    }

    private Generation start(int[] newTokens, String text, GenerationOptions options, int maxTokens) {
        requireOpen();
        int[] tokens = newTokens;
        if (pendingToken >= 0) {
            tokens = new int[newTokens.length + 1];
            tokens[0] = pendingToken;
            System.arraycopy(newTokens, 0, tokens, 1, newTokens.length);
        }
        if (newTokens.length == 0) {
            throw LayercakeException.badInput("There is nothing to read: the prompt is empty.");
        }
        requireContext(tokens.length, maxTokens);
        MemoryPlan plan = reserve(tokens.length, maxTokens);
        cancelled = false;
        Generation generation = new Generation(this, tokens, text, options, maxTokens, plan);
        running = generation;
        return generation;
    }

    private void requireContext(int promptTokens, int maxTokens) {
        long needed = (long) cache.rotations(promptTokens).first() + promptTokens + maxTokens;
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
                    + "or set a context of " + needed
                    + " (-c) if you accept what a model makes of a text longer than it"
                    + " was made for.");
        }
    }

    /** Makes sure, before anything is computed, that memory will suffice to the end. */
    private MemoryPlan reserve(int promptTokens, int maxTokens) {
        return owner.exclusively(() -> {
            var kvPlan = cache.plan(promptTokens, maxTokens);
            MemoryPlan plan =
                    owner.plan(kvPlan, policy(), promptTokens, cache.lease().bytesInUse());
            plan.requireFits();
            cache.lease().reserve(kvPlan.peakBytes());
            return plan;
        });
    }

    /** Ends the answer that is being generated, at once, also while its prompt is read. Any thread may call it. */
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
        forget();
    }

    private void forget() {
        requireOpen();
        owner.exclusively(() -> {
            cache.clear();
            return cache;
        });
        transcript = "";
        pendingToken = -1;
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
     * @param notInCache its last token if that has not been read into the cache, else -1
     */
    void grown(String text, int notInCache) {
        transcript = text;
        pendingToken = notInCache;
    }

    /** A prompt was given up half read; the cache has emptied itself. */
    void lost() {
        transcript = "";
        pendingToken = -1;
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
