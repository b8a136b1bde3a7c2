package dev.layercake.model.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
    /** In the manner of a model's template: roles, tools, thinking, a date, a macro and a namespace. */
    private static final String TEMPLATE = """
            {#- A template of this project. -#}
            {%- macro tool_line(tool) %}
                {{- tool.name ~ ": " ~ tool | tojson }}
            {%- endmacro %}
            {{- bos_token }}
            {%- set ns = namespace(turns=0) %}
            {%- for message in messages %}
                {%- if message.role not in ['system', 'user', 'assistant'] %}
                    {{- raise_exception('unknown role ' ~ message.role) }}
                {%- endif %}
                {%- if message.role == 'user' %}{% set ns.turns = ns.turns + 1 %}{% endif %}
                {{- '<' + message['role'] + '>' }}
                {{- message.content.split('</think>')[-1] | trim }}
                {%- if message.role == 'system' and tools %}
                    {%- for tool in tools %}
                        {{- "\\n" ~ tool_line(tool) }}
                    {%- endfor %}
                    {{- "\\n" ~ strftime_now("%d %b %Y") }}
                {%- endif %}
                {{- eos_token }}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '<assistant>' ~ ('quiet' if enable_thinking is defined and not enable_thinking) ~ ns.turns }}
            {%- endif %}
            """;

    private static final List<ChatMessage> CONVERSATION = List.of(
            ChatMessage.system("Be brief."),
            ChatMessage.user(" Hi "),
            ChatMessage.assistant("<think>hm</think>\n\nHello"),
            ChatMessage.user("Bye"));

    private static final ChatTemplateOptions OPTIONS =
            ChatTemplateOptions.defaults().withBosToken("[").withEosToken("]\n");

    private static String render(String template) {
        return ChatTemplate.parse(template).render(Map.of());
    }

    @Test
    void rendersAConversation() {
        assertThat(ChatTemplate.parse(TEMPLATE).render(CONVERSATION, OPTIONS))
                .isEqualTo("[<system>Be brief.]\n<user>Hi]\n<assistant>Hello]\n<user>Bye]\n<assistant>2");
    }

    @Test
    void rendersWithToolsClockAndVariables() {
        ChatTemplateOptions options = OPTIONS.withTools(List.of(Map.of("name", "add")))
                .withVariable("enable_thinking", false)
                .withClock(Clock.fixed(Instant.parse("2025-03-01T00:00:00Z"), ZoneOffset.UTC));
        assertThat(ChatTemplate.parse(TEMPLATE).render(CONVERSATION.subList(0, 1), options))
                .isEqualTo("[<system>Be brief.\nadd: {\"name\": \"add\"}\n01 Mar 2025]\n<assistant>quiet0");
    }

    @Test
    void withoutGenerationPromptTheTextEndsWithTheConversation() {
        assertThat(ChatTemplate.parse(TEMPLATE)
                        .render(CONVERSATION.subList(0, 2), OPTIONS.withAddGenerationPrompt(false)))
                .isEqualTo("[<system>Be brief.]\n<user>Hi]\n");
    }

    @Test
    void aRefusalOfTheTemplateIsTheCallersFault() {
        assertThatThrownBy(() -> ChatTemplate.parse(TEMPLATE).render(List.of(new ChatMessage("tool", "")), OPTIONS))
                .isInstanceOfSatisfying(LayercakeException.class, e -> {
                    assertThat(e.category()).isEqualTo(Category.BAD_INPUT);
                    assertThat(e).hasMessage("the chat template refuses this conversation: unknown role tool");
                });
    }

    @Test
    void theToolUseTemplateReplacesTheOtherWhereThereAreTools() {
        ChatTemplate template = ChatTemplate.parse("plain {{ bos_token }}")
                .withSpecialTokens(Map.of("bos_token", "B"))
                .withToolUse(ChatTemplate.parse("tools {{ bos_token }}"));
        assertThat(template.render(CONVERSATION, ChatTemplateOptions.defaults()))
                .isEqualTo("plain B");
        assertThat(template.render(
                        CONVERSATION, ChatTemplateOptions.defaults().withTools(List.of(Map.of("name", "add")))))
                .isEqualTo("tools B");
        assertThat(template.render(Map.of("bos_token", "own"))).isEqualTo("plain own");
    }

    @ParameterizedTest
    @CsvSource(delimiterString = "=>", quoteCharacter = '`', textBlock = """
            a\\n{{ x | nope }} => line 2: filter 'nope' is not supported
            \\n\\n{{ x is nope }} => line 3: test 'nope' is not supported
            {% include 'x' %} => line 1: the tag 'include' is not supported
            \\n{{ x.y }} => line 2: 'x' is undefined
            {{ 'a'.encode() }} => line 1: the method str.encode is not supported
            \\n{% if true %}\\n{{ 1 => line 3: the tag that begins here has no end
            \\n{% for x in y %} => line 2: the block 'for' that begins here has no end
            {% endfor %} => line 1: the tag 'endfor' closes or continues nothing
            \\n{{ 1 2 }} => line 2: expected '}}', found '2'
            {%- macro m() %}\\n{{ 1 + 'a' }}{% endmacro %}\\n{{ m() }} => line 2: unsupported operand type(s) for +: 'int' and 'str'
            \\n{# x => line 2: the comment that begins here has no end
            """)
    void namesTheConstructAndTheLine(String template, String message) {
        String source = template.replace("\\n", "\n");
        assertThatThrownBy(() -> render(source)).isInstanceOfSatisfying(LayercakeException.class, e -> {
            assertThat(e.category()).isEqualTo(Category.BAD_MODEL);
            assertThat(e).hasMessage("chat template " + message);
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% macro a(f) %}{{ f(f) }}{% endmacro %}{{ a(a) }}",
                "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
                "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
                "{{ 'a' * 1000000000 }}",
                "{{ 'a' * 99999999999999999999 }}",
                "{{ [0] * 1000000000 }}",
                "{{ 'a'.center(1000000000) }}",
                "{{ 'a'|center(4000000000) }}",
                "{{ '%999999999d' % 1 }}",
                "{{ '{:999999999}'.format(1) }}",
                "{{ '%.999999999f' % 1.5 }}",
                "{{ 'a'|indent(1000000000, true) }}",
                "{{ 9 ** 9 ** 9 ** 9 ** 9 ** 9 }}",
                "{{ 99999 ** 99999 }}",
                "{{ range(1000000000)|list }}",
                "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(99999) %}{% set ns.x = ns.x ~ ns.x %}"
                        + "{% endfor %}",
                "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x.replace('a', 'aa') %}"
                        + "{% endfor %}",
                "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x|replace('', 'aa') %}"
                        + "{% endfor %}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
                        + "{{ ns.x }}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
                        + "{{ ns.x|tojson }}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
                        + "{{ ns.x == [ns.x[0], ns.x[1]] }}",
                "{% set ns = namespace(x=(1,)) %}{% for i in range(99) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}"
                        + "{{ {ns.x: 1} }}",
                "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
                "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
                "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 1000 }}{% endfor %}"
            })
    void hostileTemplatesAreStopped(String template) {
        assertThatThrownBy(() -> render(template))
                .isInstanceOfSatisfying(
                        LayercakeException.class, e -> assertThat(e.category()).isEqualTo(Category.BAD_MODEL));
    }

    @ParameterizedTest
    @ValueSource(strings = {"(", "[", "{'a':", "not ", "-", "f(", "x[", "1 if 1 else "})
    void deepNestingIsRefusedWhileParsing(String opening) {
        assertThatThrownBy(() -> render("{{ " + opening.repeat(100_000)))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("line 1");
    }

    @Test
    void longButFlatTemplatesRender() {
        assertThat(render("{{ 0" + " + 1".repeat(50_000) + " }}")).isEqualTo("50000");
        assertThat(render("{% if false %}" + "{% elif false %}".repeat(5_000) + "{% else %}x{% endif %}"))
                .isEqualTo("x");
        assertThat(render("{% if true %}x{% endif %}".repeat(5_000))).isEqualTo("x".repeat(5_000));
        assertThatThrownBy(() -> render("{{ 1" + " and 1".repeat(50_000) + " }}"))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("deep");
    }

    @Test
    void changedBytesEndInARenderOrInTheDocumentedException() {
        Random random = new Random(20240726);
        String alphabet = "{}%#-+|.,:()[]'\"\\ \n~*/<>=!abif0_\u00e9";
        int rendered = 0;
        for (int round = 0; round < 4_000; round++) {
            StringBuilder source = new StringBuilder(TEMPLATE);
            for (int change = random.nextInt(4); change >= 0; change--) {
                int at = random.nextInt(source.length() - 1);
                char c = alphabet.charAt(random.nextInt(alphabet.length()));
                switch (random.nextInt(4)) {
                    case 0 -> source.deleteCharAt(at);
                    case 1 -> source.insert(at, c);
                    case 2 -> source.setLength(Math.max(9, at));
                    default -> source.setCharAt(at, c);
                }
            }
            try {
                ChatTemplate.parse(source.toString()).render(CONVERSATION, OPTIONS);
                rendered++;
            } catch (LayercakeException e) {
                assertThat(e.category()).isIn(Category.BAD_MODEL, Category.BAD_INPUT);
                assertThat(e.getMessage()).contains("chat template");
            }
        }
        assertThat(rendered).isBetween(100, 3_900);
    }

    @Test
    void onlyPlainValuesReachATemplate() {
        assertThatThrownBy(() -> ChatTemplate.parse("{{ x }}").render(Map.of("x", new Object())))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("variable 'x' holds a java.lang.Object");
        Map<String, Object> context = new HashMap<>();
        context.put("x", null);
        context.put("y", List.of(1, 2.0f, (short) 3, true));
        assertThat(ChatTemplate.parse("{{ x }} {{ y }} {{ x.getClass }}{{ y.class }}")
                        .render(context))
                .isEqualTo("None [1, 2.0, 3, True] ");
    }

    @Test
    void aContextThatContainsItselfIsRefused() {
        Map<String, Object> loop = new HashMap<>();
        loop.put("x", loop);
        assertThatThrownBy(() -> ChatTemplate.parse("").render(loop))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("nests deeper");
    }
}
