"""Encrypted PDF files as qpdf writes them: one empty page, or a script in an object stream.

Made by `pikepdf.save(encryption=Encryption(owner="boss", user=..., R=...))`, and packed by zlib.
"""

from __future__ import annotations

import base64
import zlib

_PACKED: dict[str, str] = {
    "R2": (
        "eNqFUktoFEEQjR/mMCS6Bz+IIC2yQQJxpnvn0w3rimx2UTRm3cTEEES6Z7rXxJ2dONvBRNSDHsxRRPBDiCiCNxU8"
        "7En0EpBABJNbLgrGS0JOEQXBT4+JZiWKh6ag69WrevUqWWjLt8J9tp588fnBNx0CE4RsQE+ngVGgJV4FKfVTBEbX"
        "yCAHRpZKWg5LIJPRecWPgaiuYBnTwQY6ZQCMo7xSkmcARCYw8v1lySMVy1TyNu6FvgIeAyjORFUJSMxYlRGngd6+"
        "NPV2zCmMVQqXvibKM9Nvmh6dn+laqvGtQ9uz34NucrF2//S1pnPva1pi4soRvphtEnPBYvF1z+N1u59PtbSkF740"
        "BlvOzt7+tOHq/odTuV3vjJ03xidvZp/M39o22lh7endz795ZbdPsDm3PnRZjEjw7SNsXemNFKyOsaLPrtK2o+YeW"
        "1enXsjh1LL9qOyWt+DTyf/NairgDpAkiyLQJ8wVzhYXdlKCmsCgXjCPbTHkYeYxB7JpImARj4pmEOL7gFEKs0iij"
        "XAOtUO21GC/3BEhjKrgb4wlFti1MxxYU28xBhHDGfeZzgi2HeSTFTYsyFxPTd1yLOZylkINMxdgNYJ3h7hrDTxa5"
        "+EPIX91ejgUaBVUQ12bD8lBQqQJLjRxxv9+TYaSORXUCRg/oUz2ReqeUkjCUAC5fYWf/BQ4wMA63gb605TICGaWO"
        "sKDAKW67kHnQ8m3kEQx9kfk/QtHnKl40MiiB87PDqpHDYx5rWN+c1y5rzZqWTSwkRidevvp47/j8gesftDk0Xmpo"
        "cA9tzK01vCppJIcjLnTbgXoymevI6z8AF30VJg=="
    ),
    "R3": (
        "eNqFUk9IVEEcXqKWekHaLaXDXNa62JuZN2/eG1jWw+qWJGraP7KCmTfzNmX3PXs7ghYIQUR1CrFbISgdOyRBR8MM"
        "uhleoosIJv2xbpF2sWbTckGk08DM9/u+3/d9k+luLTSjE66VmVmb3LAQgCAWA1Y2C+xuXlQV4JibHmCfHRlUwM5z"
        "zUtxEeRylopkFYhrBjYxXWKgV5eB3aGior4GEIbALvSXtErMWeJataoglgbYCXD1JalowKqMFZ0oXrZevbjf4ixN"
        "3zwyZjU0RjMwrPs5eWe57vn4V7GweHusberWgdTU45bCircS/vp8usm+vLwQLD47vA73rzV8nLveeHwJFw8N7Tv6"
        "yYvm9WrHycYnc+Ol9fTst9n3hYfHoo3RdxuX7i3+yDfzzoPz60tPp9lM+8Tb6aqjrRW2vLk13rbc7OJle/udLLSG"
        "5e9sr+aR5ImsSck3yYGsIA6VyFc4oJAQxKn0QyoJZR4LECUodKAbMhRAB4acK6kcBKGiVFDJQ0eInKkNNCNYpesx"
        "3dnnQJb72PE4diTGDPouFJJzJgOBfeZD7GAIMSJGgkHBFEGIQA9xIhmChPkkQIbzvKlqu3NvR+cXe1T4zwvZrfDN"
        "s5sn5Qqozubj0lA5qgBilk6U7A90nJgkjBKwL4A+gIwqAleMkzjWAG1+xN7+GwoYd+2toC9LPMGQ4JyGJhrfUa6H"
        "RICIdHHAfCTD3P8Rhr4tCpKRQQ3oH4XtLocfBSK1p6mQHk03pdP5+tX6u69fvvk+ceZLy4OV9Ad8VaRSXufeUzs7"
        "r2ie6OFEhZZLiZXJtHUVrN8ZTxkQ"
    ),
    "R4, AES": (
        "eNqFU21IFEEYNguJK9KsKItoIBSE7GZm5/Z24zDiPkBR77pLCyRwdmdWDe9O9sZMoaCyzIrogwIpsgKtPxEF/Yqw"
        "HyWdhSSCP/xbVGAf9k1R0axenWARLDyzO8+8z/u882xxJBAqQxtVV/Hglys/XQhAkDR2uXw+4I7QRp4CivwSBe5t"
        "Ha0cuP1U0JZkIygvd/EEc4h41oEZTtjYFRNx4K7iiUbRBBAhwB1qbhHclthCBQ9wM8kksQZgZ8dOCaA7FVPC5jTu"
        "unN3ufiy6vuZ3EPtq5Xok4UTFfevHWTNt9/sTz+qHFn69Fn6de3wp57dR9+trVA/jE0M9d44P/a4ZDT8mU2RY5vG"
        "R+K56w73TzUMrLBPXS282fU60Z770tO1NNJ7/MmGF6x7696xz0UH9p9eeWDZ9RML3JXV6ZqfQ2bh0za06Fy3Vjn5"
        "9VtXehw1dBatT7e1b7q4xnGaaS3j2TPLc8algv9uMmurarxsoGe4tO9VX/Tt4C3c/7z8x+VXiy+9n+cfwkX5+aNz"
        "ZdRZMv4QcCAmWGa1pU00BXfzhADuQNIMt/KEQ6qWG8FYHc5OX5UtOM+f7mKCJhi1WZaCNXlpwGcQRWVI49hUISGI"
        "qkyzVEZU3aubSCXIUqDH0pEJFWhRyhlXEIRcVQ2VUUsxDKkRDgKfhAgoQ9CpGgXEEYyHfncuwc6+1AIf1bDipVhh"
        "GOtQ80CDUaoz08CarkGsYAixDJCq69DQOUGIQC+ihOkIEl0jJpJqtTOidVIrG0vvnFjuiHLrj2cC/5HJGYxQO56a"
        "HrM/2dIWT6QcHxGbs2ZTJG05semJbgf1AMkMI7BTWk0mBUAz/0qsuZMDab8iAOp9xGvoyKBUteQINYV7vMgwEWEe"
        "bOoaYlb5/xmyfDBh2h2tAqjTCtlU7blgGjm5JaG8fXkleXn+gsmCIw/uPfzYN/py88mzS57hCZiTo5XOn5ybrpSg"
        "tthjc8vlxV5XcXEwHHL9ApLTVHw="
    ),
    "R5": (
        "eNqFVF1oXEUUjlJiWRrti2IFyaCkvhj3zsydn0vXSNLd1dTaLNkkTQxW5+dMumX3bnr3NiYKij4Ug/rkDyqmWCFS"
        "qw8itP6iIIoWqb5YIn3wQRB/nqQvagRx7mZrFqIIF87MPWfOOd+c75uBSrE8iG8TuYGPf3v1rxxGAWrqI7lCAeVL"
        "iynErVozbqFsO1wcKbUXI6oFU5BkHpT3R7si98MC1BFFQ0PZl6+oOWj5bYDGUX5iaR5Qfq9KVb055905iG1WinSV"
        "3IgZ00eqaQPl90M8lx5GOAxRvlyrp5B4W1cpFME0rQ88gEjmSVopirKMrTQB1cgd3bbnxINLuScqJ4s77UcXzz05"
        "MrPrrhuWi9fcKdcmXrl4nq5Pvl4IZ8/3wOcvvBV8t3rzng9f63/ahFcP//joWjUuxM/23bRy+1P9lW/7ps8dPdt3"
        "cObEVyuP7SDvrG4/o2prvw4tv/l24e61Qwu1mft1NDP45fQnL914ZuWnX+TxhdGzsPJc/+rcVN/z715avuWP7d/c"
        "SjOkndY6mFkX5g5KSv4d5CasU+/vuHD654HRie9Pvnfd7z+cfvzaD04duveOAw9/NvrMn+v7FreW4V1l9pbbw6um"
        "trMaPpYeLi1AnKJ8sWnG5iHOgu7xjlJ1inb31Znm5e6qqYqtSuw/IYRxPzRUoEC5sCKAKDDSWSOZs9pEWAsMXFrO"
        "CTOaBGCdDQwYQ6VVRLLARgKU5dRYo3kAhIcBBxMKh42NCItCibVhJvI9jHkKAmOSB8qnE4RpYozCmjrDuY2slr60"
        "ldg6yjB2ynFMQWEnZESwxcwRqTNiokEcEOkXkDQ8vZWzvi+hlQSumRJWa4+FYsYwCYwj/sg4Yhn0RvnyHXqTbG4m"
        "UUETSXy8Al89ihjY0ERCemPDSEeCEeJ/QhAKDioioDHTTtMgCBnmBGtuhQk8fO9QHEvDpaLchgRTBS6Q4HwTkx6+"
        "ABoI6SEBdsaFkoSUguQ04KGUWnCmOQbgJqJSGsWdDpWH5AwIqS2W2KeZ8lg2BSi2CHB6HNwmAaL/UN+Graj2DWYM"
        "a9aPNfxj4dVaScDWTNpMEG7TJ38QzSLs1YrRff4qm80U4Y1XoVp7CJAfxGgRzRZCoT1blG86xE5SYMIPHoeWERNl"
        "Mx36/wifvhSbZGk+RbxdYVM/iy8b3XPl7nLvI727e4/rnW9c8al+wK5/PX2p/4t9VyUvXri+pwDbdm2VUStVSbqY"
        "gMt50viXcqA0Vs79Dco3ons="
    ),
    "R6": (
        "eNqFVF1oXFUQjhoirPhbEPMgOUWTmofm3vN/rizRNLtrlZjEbJsGWsXzm6Ymu+nd25gK/oN9EiqopFA0CD6kFUSx"
        "VaQqhQq+RaVW8A8V1ArBBzEUFapzk9QsRBEud+Ywc2bmmzPfdA6XKltxjyx0fnDhlYsFjGJUN/sKxSKKyrOZrzUm"
        "6rUGyo99pW3lFWWbbvhRn+YWFMHVJs8BP+MnkUK9vfkXDetx30AUYo6gaMfBaY+ifp3pyfo4mAu+5vJUpCnlqs+Q"
        "2VfNplA04Gvj2V6EGUNRZWIy8ynISZ35krd1B46DiOSWtJGhJI/YyFKvpwoPs8XHf/z4l1vnls49cG34+ZDcPoFe"
        "PH2+/bnWw9s33THPv3jStY1X3uo6NXtXraVr8anOLc/2vrTljef3LJeuPvf0Ul/UXTv96MBvNxxp3XXF7X+1XGXP"
        "3nhq+mJx6eTynS+/e/7DH27Zv6P9kOj+PgmlLOqcn3u16/pvv95T/q6j54n7Xjv59puHP/lyfrD/86Obb9s8d+GF"
        "a17Pka6VtoaZN2FeQ0nJv4Nch/U+OTZ4dizuvvmbnj8Xvnrvp579J471dTz0+zsLyfLCp2dmNqYRTWn6KyuPV83c"
        "mtZ3INtbnvG1DEWluh2a9rXc6V4wlKujtLmutde8VF010zWnU/ePC+ECHg0VY4ot8QnTwuFEUhKYJ45hbjDhlCeK"
        "O0qpkYIrKi1OPI+ls9RjZw23XFqmJQFNYOK0IlxzSXGilE6YE9Y5BjUMwQgSTYIPSkuVBBYLY6xlECVgqrg1MQkK"
        "EyZiZQnWnCn4xcRAbUZwZwX1+WCirTgmChSfTsF4w6XYewd/qgjzwjCaYEsTZg2LsZBwZQSJHPpU5VIPQaTrh51Q"
        "F1cOYCkScxK0sBzLwIKNA2OSUuWNCwrCEhy4prGRUgmsqSdKKENiBSKhAFoRA33iJCaMiBBbbQmYPcdQxE6AzxIm"
        "ZLAkyCQRzCgdZAwNkJx7j41jkiWxgEBSewZtF07Z4EWQjEjtuBMQZhTxJgLKDQQcG/FhfQCS/2DfqhzWKx3MJ6w+"
        "eWAKlgWwdTj1bsJm9RThlfGJdqHdCANbMbofWlmvZwivboXqxCMeFkZ0dwntLjJpEmy0FoFh6JXnEhuLmePEJgq7"
        "0Pv/HhC+XLPpwekMiZUM6/yZPWpNy+VdlbbH2rranjHXHb/sjHnQ/bE49mvHR/dcmR757KaWom9t30ijRqbTbDb1"
        "oQBDA5uyszxUKfwNl+2fZg=="
    ),
    "R3, script": (
        "eNqFUk1oE0EYLbYEXRU9KHpqp0jqxXZndmf/IES0baBYmtjYqBR/Zndm08Qkm25WSFVMoRaKFNubigXx5+ShSDwo"
        "KFoRD/VSkNJT60FrL/6UgiJUqE5MtYEqnj5m5vvem/e+54+0hBpRkyL4n327vSIgAIFjJoVAAIjhLMscsLyEkwEK"
        "v+4EYoTEWQ7I5cORviwDYjPxSMqJg2BQYBlaGpUqIMo9YTMZ9dJAbGeZuNcDkIKBGEqkPObymiIea2GWQ3ljB8fm"
        "L27O400lyJznMpIWXjz88r7jcVUS7q2J1fsG387NPZ2sH/gYyk09WpjJDzZNZSOXr7/KP1n6tO/elcmmmrE9B31D"
        "MamY8vdemh2pXRzathwrfj7e09s+/+DkAtRDp+6fHra2qhc27ZoY3fF9+O7SzefCwDvXLCyOh9F06/l5d8s4kj7U"
        "9hVnRo3qrv66wsB4uDARvXG419/2ZnrnobqRr9deJzffKYle/eSqfLVC/qpg+He5a/rWo2gVKL9nox7JUOLSNSMl"
        "nZsLAiaWVYp0JlkqxBgRleq2SrFqaIaFVIxsGSq2gSwoQ5sQRpmMIGSqaqqU2LJpBvlmQSOCJbjO0gq6QIDokqwR"
        "SaaSZEBdgSYlxKCWKemGDiVZglBCmFMY0DQYRghDDRFMDQSxoWMLccwYkCpioa+LxbFOZv/Rgv9hkliuEeKmc6A0"
        "2+ykzqYzOcAzFHEZTVie43InOBMQj4JugDgrAie4EsfhMSpnNZo4x4ABxLYW0B3AmmkgkxDV5tboMlM0ZFoIU0Wy"
        "DB1RO/j/Dg7fmrHcvqwHtF8Ma7vMj1lm1YaGkO+ir8Hni28/Uz30cmJj/Yq8/KO6ONtvDl/dXbX/Vk1h/c5zHnG9"
        "vMtsQUWa4Pe3hkPCTy1iLIA="
    ),
    "R4, AES, script": (
        "eNqFU1tIFFEYljKpJcSi7ELh6bIihs05M7Nzoc0uuhvRxcWt7SJFZ+acWbd2d2z2JJaURRlFZFe6F9SDBUq3t5So"
        "F0uMCqUwqqdeIjCoh+5gnXGtFSyCM3xzzvnn//7/+7/xhsqDJWiu4vHe+3Kl34MABLax2eP3A6GihiYXmSxmJ4GP"
        "H1cCIYSjNAWk9GbV9hoKhDLMcNyOgtJSD00S91NxSIp0TIWxOcwSQFhOk1FWDZCqACEYizPqcIxjRsupaRMeuJLn"
        "5jdOigHkc1OmmENxwrPk4bRN9Td7pXF3G6e+75r04Wwkcj6+9Vhx8NObKdECx+6ZPH4aEUI9XdmnWw42vhr1+eSC"
        "Z97rTTueT5h55EZ3fmzNrWUrd/ZdPtGQ19rqrX+Sym3pvlhAl1zKfdv+btPVvjnqgfyLtVXzri2c2NLZfGb2/o1G"
        "ndbX0FTcyl6Mb9n7+MHjrW0fb+HCo6Rj/tfekqvNew796LhTnx+pLSp6EpCbhMpz644fLpj8bcTP6L6GR8u6XCkG"
        "Sx8URRkiyqAMkvh3FTJtf3/5oY8u7my/NGt6Y9buma/9X9q+V68aU5w4dWL9UzPfN5xGHUJTFgQuhBkZfFu0jVUH"
        "ammSAaHcNt3pukEr+EUgHBEz41F4Ce76U12Y4STBDsmEiBqfKvAbsqQQpFHRVKAsI6wQzVKIrOiqbiJFRpYEfZaO"
        "TChBC2NKqIQgpIpiKARbkmFwjooA8HMIgRIE3ayVQHYJE8HflXNwMpvVwI81UVKxKBFR1KHmgwbBWCemIWq6BkVJ"
        "hFBEMq9Bh4ZOZYRkqCIsEx1BWddkE3G21WnSCOfK+FYb5tu1ldT607MM/2HaNIawk0gNyFxmx7clkim3j5BDScxk"
        "tsMVG1B0DagCCIj82cBbtW3u8/TPFI7toEAHwtJyUOWXVUNHBsaKxSXUJOpTkWEimfhEU9cQsUr/H8HTB5Kms72G"
        "AXWAIeOqugumkTWiMJizK6cwJyeat2XkgY77o2f0S839I2/37DGWK2OzFkazZwx3V4phh9U51PKoqubxegMVQc8v"
        "f35iGQ=="
    ),
    "R6, script": (
        "eNqFVFtoXEUYToJEWamNoQSkrYy2KYjEc2bOXCGGJt1dIqRJzNpNoAidM5dN0s1uPHsaE6WCtgoGqa0obUFDkLRS"
        "kVT60EJeCiXYPvhiG3zR4gUhoigY0T40WuckabMQRTiHmZ/5L998//dPc2862wKfYqnmy7c+/DsFgQ/K4XCqtRV4"
        "mfHYlCpD5VIFJGZ7uiOzsumQFZM3UXICPBda5dllxkwRcNDWlnxez6gptas4cSQucR/wemXBVECwajw3MWqAt0fG"
        "slguuICUKemkOKoCserTEw7n4hHgdZlSIR4EkFHgZYeKsYncWpSxSRtV1s6x2+V2J1ElBpAkKStxZORIasfB5b03"
        "Fod/e/r00lTX3OHyC4Uzn3/xQe3ugZ+eEH/WZW7PFq41HP918eO5xp/nL5CH5r6+8eMnHy0OXCX9/denOj6bvpm5"
        "slCpXeRvXdyaLQ42PfjN1rFNM+/gN5c7O89ublz6ZWJbx7Xw9eu5248d2bnlhNhxdOd7px/eco4s9B/58t2DLx8e"
        "3rb7xPmrj09OfvV9y3dNuenSxeVXZx8oPPrtzb868+21x08tzUczs2+r88dagk//ePFCQsUa9DVSaBUpazQE6N9Z"
        "WL82bZmpu3Xl2dfyl3Dzpu1N3dmBY7+fXJg+BU3+h9ap7Y0by7CqMnuyK/3OxXpt134oHsyMmVIMvHRZJd1NnPa6"
        "g0wuH1TjWhPAXXS5WJa0jPQ9F0RcB3tAq48pUYFvAyawFVoGHBJjaailgtIQZrCW3FnaUMSZj7T2tQ2JVYEiBAWC"
        "awol0Sy0gVVWSiU4c9GEKO6HErFEhE61OnDpGDYUMoKEIL6PoDZhiJjPICVaW66V5pIxxTVRiEtNtIWWYaGhlKFL"
        "0wtaoI+425hoxE1EaBQNiCZCSSyUb43PBcWQWM2ZgQi5kD5Ak6uPZO9y6JZo3diXJOFQ+gKFAbQaOeCOBUSV9I2R"
        "mDMbBEgyJazEVvkylIpawii2kAlkoIaBNBYLLgNGKMRcM8kgxkpTSQW1TDgQ+9z1wwAbFlgSCMeY9BUyVHOiMfcp"
        "QkwjX/oOvePP0SIVsZbTkEohHSHQOlAuTR6QqgnlGyZ0oM/Ye93F/yFMb3XtlSsMJgorFw+NuPcFO1ojo4dUXI4A"
        "XJGP1w/2AwiQ+593VJbLbqJXn43c0EsGCOA9kwb7WzELBQylpBZDywMnGRgqiDVBTgpQ27b/93DpMyUVTYzGgK1U"
        "WJ+f8fdVWFO3K1v/Sv2u+jfyDU9ung8PHG2488jJOyo80HX/JDwHa2rSZ+7r3jhJlVhG8XhkbAr6jKeamzM92dQ/"
        "Dvu86Q=="
    ),
    "R3, password": (
        "eNqFkl1IVEEYhrcfNjhBCYJ455Ct0Y/uzJw55+zEtl2sLgWh5pYlVjBnZs62srvHzk6hEokEIREUFEhhBEU3XgWB"
        "eZV2UVnRZURQ7E12UUSUQki/s2m5INLVwMz7vd/3fs9E2ptTjajJMiKTX2/+NBCAwHd7jHgcRNtZRhaBqW86QPRA"
        "f68E0SRTLOdnQCJhyIIoC3FFwYKmze1JqzyI7pOFjDoOEIYgmsrmlAz0mWNKNkvuCy1sBbj8EhQVoGXHogokyxuz"
        "bE3NKy8z+uPL9oHH99M1t7xf31n2ycUT3/o2jBypW189dXtwkHS95ucfTcxtHR7aaZ+a3DL/afPzeXX2xWyo6UJ1"
        "6W7tZzKyKzlRu+7jJuvpm4Fn9eP149Pj12veXUadd1aNbdzxYOhaqev0tpmXQfje1StjI3Wlc+VEiyMsZrMqsi2m"
        "WSHL0vTLXewKl7+1acUKggWiYksxvTkQl57kHmcYOjaStiTEEcgWtiUxdhyTUGo6AtoWFNj2XEZMzhlzHA9KDqlr"
        "cZHQ2EAjgmW7Ds0uehDELexJV3CTMIqp6ZkQu5jYkMYchkmMWRBiRIhNKXSpJAgR6CBGBEWQ0BjhSHt2alRLzJ1l"
        "zA93SO9fFrIS8IWznQX5IijXJv3cyXyhCIgeOpAiy5Uf6E3oTiB6CHQDpLsicFQn8X0F0MJHTGcHJNDp9jaD7jhx"
        "XIpcxmyPIC9mSstBLkdEWJjTGBJe4v8Kbd9S4EF/rwL2nw5LLPtGuRta3ZAKnwk3hMPJqg9Vww+npudu7H+/+9JM"
        "+C0+5oZCTuvaPcuZFxULVF8gPcOyiRGJtLSljN+yfxjI"
    ),
    "R4, password": (
        "eNqFU1tIVEEYliyDBcWeIro4LxpCtjNzZs/Zg8tKuLslli5ubsZiMGdmjhq7e+zsWNrF7hQkFUREERlFF6qHegiC"
        "ooLo8uBLRBRFQSVdMB+k6AIVzVFzBYvgwDfnzDf/93//fKc8HolVocW6r/zW11O/fAhA4FhrfaEQ8Mdpm8gBTX1p"
        "Av6VPZ0C+GuppGmnDYTDPpHlHhFPOjDGabTWJmQG+JeLbJtsB4gQ4I91pKVwFaapFBHBHK6IDQB7O25OAtOrmJOu"
        "oBnf2eaP1TDZWlJcXUX2Xd5R2fZhuPVwcWFk85FvfRcuttbcSG26tHPg5I/p7tzV8+5W99xLp17NfBWc1fDi4gHz"
        "9PLM9ZL6y8tavj/tWjq/9/yTgbrds5M3F95f8GBr6s6lY2+uNp0fZNc+bXM37K9fV/kudS8lKxbx/nNlb0ce79m0"
        "6km/E/0C24d71/wsKdw+P3zleZnndLy1cc+BSZ7HXWr47ybzto7ubYFn2NDrXeFD50a4yGwZeDTnWPJlX2bGoZkn"
        "igseTpXRJ8nUxoAHCcnHV0u6ZHt0vchK4I84rLFTZD3SCrURTSRxfvq6asF7JrpLSJrl1OV5Cg6qSwMhYQtmM4qh"
        "oSOhC0IMjnSuBwTGhqER09QMDvUA5Fi3LUo0xig1DBsKBk0rwLjSaIyCkII4qELQq9oEiCeYif3pXIGbf2kGoQC2"
        "hcWZRqiJTc3WILYw0aEZNCgmQRqAEKsA6aYJLVMQhAg0ECXcRJCYQcKQUmseE00qrXwsjSmxbGkS9oRnAv+RyTGM"
        "UzeTGx1zrZPuymRzno+4K3gHk46rJjY60VUgBZDKMAKtyqrjSIDG/pVEx0YBlP26CEiFiGGZyKJUtwmyg5oIGMhi"
        "iPAAZmYQcTv8f4YqH80yt6dTAn1UIZ+q7uPMKphWESvqLaooKqotHSrde/f2g8/9D9/XHDxcMoifwYKCYGXh0NR0"
        "5SR1ZbcrbJ+BDV95ebQx5vsN41JPag=="
    ),
    "R6, password": (
        "eNqFVFtonEUUjrWNdam0tVAjiB2lKRpId+4zP24DSXdX1JqsWROLMeJc05S9hH//lkSs9EEFH2xF6kOlUlAqra0P"
        "tg+C9fIiEnxoxVqDtwchSGsflIBEJRTnT7ZmIYowcGY4Z8453znnO52lfLEbbReZzk/n37qeQQCCut6byeVAtjCZ"
        "uFpjvF5rgPTZm+8rLF76VMMNuzjVgGz42mK5y+13FSBBT096siU15hqABJ+DIPv41IQD2Z0qUZX6WFBnXM2moXBL"
        "yCWbAb23nFRBdperjSV7AKIUZIvjlcTFQVZU4vLO1G0w7Ac41cSNBESpx0YSO1XN7Ohry2wsfvMknj385aatD3y0"
        "6fyDr3331LWTs11HOtZPrxt95bFVnf1/XPz40OfdP7cl+at3nLu65f7SzPyGzZPnD4wevnLl/V9P7Fg/1tZ128ir"
        "05/8/vSF29eW11zofvmrYwcvn7h+9Mf+U9+fdXMv3rX6zxfWfHspzv22teu52buHzvjZ6psTUx8ef+TWze+d/uLs"
        "wsFTMwuXOo58nSJtptbEzFowN1ES/O8gl2G9odbd0z88d/M749vfvQ/3rn370MzCBz9cO37vLz+dPPP6/IGVYXhL"
        "mJ3FxeaVE9u89e5L9hT2u1oCsvm6GZhwtdTo0aAolIdJa17Nbt7IrpyomlWx/ccEMx6aBnIcakgI9xI5K5WVxhjk"
        "nYKcEcaFx4hz54TkkHutEYUiolEELYE2IhZq5qkmJoICYq00xZxFjgtNqaaEaEFNyGEgjKCjwZ32IvwRBEonbGSN"
        "dzzYKQi5FEogjq2BDhJJIYNcaeip10ILznnqpgS6EcQyXFxcDePNLEORQQJrabnRnEHlFCOOUctxRGH4Mgh4Cr1a"
        "vFHDIOLlx1CATx3GkjJiFEbURlJLQjDk4USYRlYjj5AKOQoqcVDYKCIcE+kj5RX0zhIGoZOGOUSQklZYGAlCpYGI"
        "KGt1SGIowOeEGK4h1NazgNh7K5lTlGPEmHLIuSC9RYSGukrEESbQ6BACC8s18Sn8YcBaCChWEHD3oPPLAxD9B/uW"
        "ZEktVjCdsHplXzUsi8DWUuzsuEnqMUCL45N9AowAFNiKwGgoZb2eALS0Fcrjz7qwMLIP5cFIjgodIa0U9xR5Gcov"
        "kDahlAybSCLre/7fIrgv1Ew8NZEAvhhhmT+Tx4xuW7Wt2P58+7b2l/SG0zd9pp+xf13cPbdl+uFb4qOXO9pybvWd"
        "K2nUSFScTMbOZ8LQhE3ZWRgoZv4GGWGkHA=="
    ),
}

FILES: dict[str, bytes] = {
    name: zlib.decompress(base64.b64decode(packed)) for name, packed in _PACKED.items()
}
"""Revision, and what is odd about it; the user password is empty unless it says `password`."""
