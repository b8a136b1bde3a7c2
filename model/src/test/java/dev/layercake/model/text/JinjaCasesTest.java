package dev.layercake.model.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Small templates of our own, one language feature each, against what Python's jinja2 rendered for them. */
class JinjaCasesTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2024-07-26T15:04:05Z"), ZoneOffset.UTC);

    @TestFactory
    List<DynamicTest> cases() throws IOException {
        JsonMapper mapper = JsonMapper.builder().build();
        try (InputStream stream =
                Objects.requireNonNull(JinjaCasesTest.class.getResourceAsStream("/chat_template/jinja_cases.json"))) {
            JsonNode root = mapper.readTree(stream);
            Map<?, ?> context = mapper.treeToValue(root.get("context"), Map.class);
            List<DynamicTest> tests = new ArrayList<>();
            for (JsonNode entry : root.get("cases")) {
                String template = entry.get("template").stringValue();
                tests.add(DynamicTest.dynamicTest("template " + template, () -> check(entry, template, context)));
            }
            assertThat(tests).hasSizeGreaterThan(300);
            return tests;
        }
    }

    @SuppressWarnings("unchecked")
    private static void check(JsonNode entry, String template, Map<?, ?> context) {
        JsonNode error = entry.get("error");
        if (error == null) {
            String rendered = ChatTemplate.parse(template).render((Map<String, Object>) context, CLOCK);
            assertThat(rendered).isEqualTo(entry.get("expected").stringValue());
            return;
        }
        var thrown = assertThatThrownBy(() -> ChatTemplate.parse(template).render((Map<String, Object>) context, CLOCK))
                .isInstanceOf(LayercakeException.class);
        String raised = "TemplateError: ";
        if (error.stringValue().startsWith(raised)) {
            thrown.hasMessageEndingWith(error.stringValue().substring(raised.length()));
        } else {
            thrown.hasMessageContaining("chat template line ");
        }
    }
}
