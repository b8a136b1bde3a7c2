package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;

/** Tests with the bundled model, loaded once for each class; every test must give all KV memory back. */
abstract class CrumbTest {
    @SuppressWarnings("NullAway.Init")
    static LanguageModel model;

    @BeforeAll
    static void load() {
        model = Crumb.load(EngineOptions.builder().threads(2).build());
    }

    @AfterAll
    static void close() {
        model.close();
    }

    @AfterEach
    void everyPageIsBack() {
        assertThat(model.pool().bytesInUse()).isZero();
        assertThat(model.pool().reservedBytes()).isZero();
        assertThat(model.pool().openLeases()).isZero();
    }
}
