from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from millrace.local.terraform_provider import schema
from millrace.local.terraform_provider.schema_generator import dumps, generate

RESOURCE = """
export class AwsThing extends cdktn.TerraformResource {
  public static readonly tfResourceType = "aws_thing";
      providerVersion: '6.62.0',
  // arn - computed: true, optional: false, required: false
  public get arn() {
    return this.getStringAttribute('arn');
  }

  // labels - computed: false, optional: true, required: false
  private _labels?: { [key: string]: string };
  public get labels() {
    return this.getStringMapAttribute('labels');
  }

  // sizes - computed: false, optional: true, required: false
  private _sizes?: number[];
  public get sizes() {
    return cdktn.Token.asNumberList(cdktn.Fn.tolist(this.getNumberListAttribute('sizes')));
  }

  // rule - computed: false, optional: false, required: true
  private _rule = new AwsThing.RulePropertyList(this, "rule", false);
  public get rule() {
    return this._rule;
  }

  // only - computed: false, optional: true, required: false
  private _only = new AwsThing.OnlyPropertyOutputReference(this, "only");
  public get only() {
    return this._only;
  }
  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      rule: {
        value: cdktn.listMapperHcl(rule, true)(this._rule.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "AwsThing.RulePropertyList",
      },
      only: {
        value: only(this._only.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "AwsThing.OnlyPropertyList",
      },
    };

    // remove undefined attributes
  }
}
export namespace AwsThing {
export class RulePropertyOutputReference extends cdktn.ComplexObject {
  // days - computed: false, optional: false, required: true
  private _days?: number;
  public get days() {
    return this.getNumberAttribute('days');
  }
}
export class OnlyPropertyOutputReference extends cdktn.ComplexObject {
  // on - computed: true, optional: true, required: false
  private _on?: boolean;
  public get on() {
    return this.getBooleanAttribute('on');
  }
}
}
"""
PROVIDER = """
export class AwsProvider extends cdktn.TerraformProvider {
  public static readonly tfResourceType = "aws";
  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      region: {
        value: cdktn.stringToHclTerraform(this._region),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
      alias: {
        value: cdktn.stringToHclTerraform(this._alias),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
    };

    // remove undefined attributes
  }
}
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (("thing.js", RESOURCE), ("provider.js", PROVIDER), ("index.js", None)):
            mapped = base64.b64encode(json.dumps({"sourcesContent": [text]}).encode())
            body = b"code\n" + (b"//# sourceMappingURL=data:application/json;base64," + mapped if text else b"")
            member = tarfile.TarInfo(f"package/lib/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    path = tmp_path / "package.whl"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("package/_jsii/aws.jsii.tgz", packed.getvalue())
    return path


def test_a_class_becomes_a_schema(wheel: Path) -> None:
    made = generate(wheel, {"aws_thing"})
    assert made["provider_version"] == "6.62.0"
    described = made["provider_schemas"][schema.PROVIDER]
    assert described["provider"]["block"]["attributes"] == {"region": {"type": "string", "optional": True}}
    assert described["resource_schemas"]["aws_thing"]["block"] == {
        "attributes": {
            "arn": {"type": "string", "computed": True},
            "labels": {"type": ["map", "string"], "optional": True},
            "sizes": {"type": ["set", "number"], "optional": True},
        },
        "block_types": {
            "rule": {
                "nesting_mode": "list",
                "block": {"attributes": {"days": {"type": "number", "required": True}}},
                "min_items": 1,
            },
            "only": {
                "nesting_mode": "list",
                "block": {"attributes": {"on": {"type": "bool", "optional": True, "computed": True}}},
                "max_items": 1,
            },
        },
    }


def test_a_type_that_the_package_does_not_know_is_named(wheel: Path) -> None:
    with pytest.raises(LookupError, match=r"data\.aws_nothing"):
        generate(wheel, {"aws_thing", "data.aws_nothing"})


def test_the_schema_file_is_as_the_generator_writes_it() -> None:
    text = schema.SCHEMA_FILE.read_text("utf-8")
    assert dumps(json.loads(text)) + "\n" == text
