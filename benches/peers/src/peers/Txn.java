package peers;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** A card transaction, with the fields that W1 and W2 read. */
public final class Txn {
    public long ts;
    public String card;
    public String kind;
    public double amount;

    public long getTs() {
        return ts;
    }

    public String getCard() {
        return card;
    }

    public String getKind() {
        return kind;
    }

    public double getAmount() {
        return amount;
    }

    /** The next one, or null at the end. */
    public static Txn read(JsonParser json) throws IOException {
        if (json.nextToken() == null) {
            return null;
        }
        Txn txn = new Txn();
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            JsonToken value = json.nextToken();
            switch (name) {
                case "ts" -> txn.ts = json.getLongValue();
                case "card" -> txn.card = json.getText();
                case "kind" -> txn.kind = json.getText();
                case "amount" -> txn.amount = json.getDoubleValue();
                default -> {
                    if (value.isStructStart()) {
                        json.skipChildren();
                    }
                }
            }
        }
        return txn;
    }
}
