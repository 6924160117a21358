import torch

from sightline.nn.attention import AdditiveAttention


def test_attention_equals_the_formula_on_concatenated_vectors():
    torch.manual_seed(0)
    photos, captions, locations, feature_size, hidden_size, attention_size = 3, 2, 7, 5, 4, 6
    attention = AdditiveAttention(feature_size, hidden_size, attention_size).double()
    features = torch.randn(photos, locations, feature_size, dtype=torch.double)
    hidden = torch.randn(photos, captions, hidden_size, dtype=torch.double)

    alpha = attention(attention.keys(features), attention.query(hidden))

    W = torch.cat([attention.W_a.weight, attention.W_h.weight], dim=1)
    for p in range(photos):
        for c in range(captions):
            energies = torch.stack(
                [attention.v @ torch.tanh(W @ torch.cat([a, hidden[p, c]]) + attention.W_a.bias) for a in features[p]]
            )
            torch.testing.assert_close(alpha[p, c], energies.softmax(0))


def test_attention_sums_to_one_over_the_locations():
    attention = AdditiveAttention(5, 4, 6)
    alpha = attention(attention.keys(torch.randn(2, 9, 5)), attention.query(torch.randn(2, 3, 4)))
    assert alpha.shape == (2, 3, 9)
    assert (alpha >= 0).all()
    torch.testing.assert_close(alpha.sum(2), torch.ones(2, 3))
